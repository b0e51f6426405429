package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func line(id, login, verb, resource, query string) string {
	return fmt.Sprintf(`{"auditID":"%s","verb":"%s","requestURI":"/apis/x%s","objectRef":{"resource":"%s"},`+
		`"user":{"username":"system:serviceaccount:n:%s","extra":{"authentication.kubernetes.io/credential-id":["JTI=%s"]}}}`+"\n",
		id, verb, query, resource, account, login)
}

func TestRequestsAreCountedByLogin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write := func(text string) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write(line("0", "ours", "patch", "services", ""))
	log, err := openAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	write(line("1", "ours", "patch", "services", "?fieldManager=a"))
	write(line("2", "ours", "patch", "services", "?dryRun=All"))
	write(line("3", "ours", "watch", "deployments", "") + line("3", "ours", "watch", "deployments", ""))
	write(line("4", "ours", "create", "secrets", "") + line("5", "theirs", "patch", "configmaps", ""))
	write(`{"auditID":"6","user":{"username":"admin"}}` + "\n")
	half := line("7", "ours", "get", "", "")
	write(half[:40])
	if err := log.read(); err != nil {
		t.Fatal(err)
	}
	if got := log.counts["JTI=ours"]; got != (requests{all: 4, writes: 1}) {
		t.Errorf("counted %+v", got)
	}
	write(half[40:])
	if err := log.read(); err != nil {
		t.Fatal(err)
	}
	if got := log.counts["JTI=ours"].all; got != 5 {
		t.Errorf("%d requests after the line was complete", got)
	}
	if got := log.counts["JTI=theirs"]; got != (requests{all: 1, writes: 1}) {
		t.Errorf("counted %+v of another login", got)
	}
}
