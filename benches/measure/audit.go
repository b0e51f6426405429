package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// requests is what the API server wrote down of one login.
type requests struct {
	all int
	// what changed, or tried to change, one of the objects that are deployed; dry runs are none
	writes int
}

// auditLog counts requests by login. Every run has a login of its own, so that others may use the server meanwhile.
type auditLog struct {
	path string
	// how far it was read
	offset int64
	counts map[string]requests
	// a watch stands in the log twice: when it is answered and when it ends
	seen map[string]bool
}

type entry struct {
	ID     string `json:"auditID"`
	Verb   string `json:"verb"`
	URI    string `json:"requestURI"`
	Object struct {
		Resource string `json:"resource"`
	} `json:"objectRef"`
	User struct {
		Extra map[string][]string `json:"extra"`
	} `json:"user"`
}

// openAudit starts at the end of the log.
func openAudit(path string) (*auditLog, error) {
	found, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the API server's audit log: %w", err)
	}
	return &auditLog{path, found.Size(), map[string]requests{}, map[string]bool{}}, nil
}

// read takes in what was written since the last time; a line that is not complete yet is left for the next.
func (a *auditLog) read() error {
	file, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(a.offset, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(file, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		a.offset += int64(len(line))
		if bytes.Contains(line, []byte(account)) {
			if err := a.count(line); err != nil {
				return err
			}
		}
	}
}

func (a *auditLog) count(line []byte) error {
	var read entry
	if err := json.Unmarshal(line, &read); err != nil {
		return fmt.Errorf("the audit log: %w", err)
	}
	logins := read.User.Extra["authentication.kubernetes.io/credential-id"]
	if len(logins) == 0 || a.seen[read.ID] {
		return nil
	}
	if read.Verb == "watch" {
		a.seen[read.ID] = true
	}
	counted := a.counts[logins[0]]
	counted.all++
	switch read.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		if read.isDeployed() && !strings.Contains(read.URI, "dryRun=") {
			counted.writes++
		}
	}
	a.counts[logins[0]] = counted
	return nil
}

// isDeployed is true for the kinds of [objects]; locks and records are Leases and Secrets.
func (e entry) isDeployed() bool {
	switch e.Object.Resource {
	case "configmaps", "services", "deployments":
		return true
	}
	return false
}
