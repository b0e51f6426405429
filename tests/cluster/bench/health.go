package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const probeTimeout = 3 * time.Second

// answers asks without a login.
func answers(ctx context.Context, url string) error {
	return expect(ctx, http.DefaultClient, url, "", "")
}

// expect fails unless the answer is 200.
func expect(ctx context.Context, client *http.Client, url, user, password string) error {
	_, err := fetch(ctx, client, url, user, password)
	return err
}

func fetch(ctx context.Context, client *http.Client, url, user, password string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return body, nil
}

// ask sends one request to the API server as its administrator and reads the answer into a value.
func (b *Bench) ask(ctx context.Context, path string, into any) error {
	client, err := b.administrator()
	if err != nil {
		return err
	}
	body, err := fetch(ctx, client, apiServerURL+path, "", "")
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func (b *Bench) administrator() (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(b.certificate("admin"), b.privateKey("admin"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(b.certificate("authority"))
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: authorities},
	}}, nil
}

// nodeReady fails until the node takes pods.
func (b *Bench) nodeReady(ctx context.Context) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := b.ask(ctx, "/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
		if condition.Type == "Ready" {
			return errors.New("the node is not ready: " + condition.Message)
		}
	}
	return errors.New("the node does not say whether it is ready")
}

// accountReady fails until pods of the namespace "default" have their service account.
func (b *Bench) accountReady(ctx context.Context) error {
	return b.ask(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// check tells what is wrong with a component, if anything.
func (b *Bench) check(part component) error {
	if !b.running(part.name).alive() {
		return errors.New("is not running")
	}
	if part.probe == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	return part.probe(ctx)
}

// checkCluster tells whether the cluster as a whole can take pods.
func (b *Bench) checkCluster() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	return errors.Join(b.nodeReady(ctx), b.accountReady(ctx))
}

// await repeats a check until it holds, the process ends or time is over.
func (b *Bench) await(name string, check func() error, process func() bool) error {
	const patience = 90 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if err == nil {
			return nil
		}
		if !process() {
			return fmt.Errorf("%s ended at once; the end of %s:\n%s", name, b.log(name), b.lastLines(name))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %s: %w; the end of %s:\n%s",
				name, patience, err, b.log(name), b.lastLines(name))
		}
	}
}

// lastLines gives the end of a component's log.
func (b *Bench) lastLines(component string) string {
	const shown = 16
	text, err := os.ReadFile(b.log(component))
	if err != nil {
		return "  (no log)"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) > shown {
		lines = lines[len(lines)-shown:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
