package main

import (
	"bytes"
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
)

// kubeconfig is the part of one that is read and written here, as JSON, which is YAML too.
type kubeconfig struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Current    string         `json:"current-context"`
	Clusters   []namedCluster `json:"clusters"`
	Users      []namedUser    `json:"users"`
	Contexts   []namedContext `json:"contexts"`
}

type namedCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server    string `json:"server"`
		Authority []byte `json:"certificate-authority-data"`
	} `json:"cluster"`
}

type namedUser struct {
	Name string `json:"name"`
	User struct {
		Certificate []byte `json:"client-certificate-data,omitempty"`
		Key         []byte `json:"client-key-data,omitempty"`
		Token       string `json:"token,omitempty"`
	} `json:"user"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

// readKubeconfig reads one with a single cluster and user: `kubectl config view --raw --flatten --minify -o json`.
func readKubeconfig(text []byte) (kubeconfig, error) {
	var read kubeconfig
	if err := json.Unmarshal(text, &read); err != nil {
		return read, fmt.Errorf("the kubeconfig cannot be read: %w", err)
	}
	if len(read.Clusters) != 1 || len(read.Users) != 1 {
		return read, errors.New("the kubeconfig should have one cluster and one user")
	}
	return read, nil
}

// with is the same cluster for another login, behind another address.
func (k kubeconfig) with(server, token string) kubeconfig {
	const name = "measure"
	made := kubeconfig{APIVersion: "v1", Kind: "Config", Current: name}
	cluster := namedCluster{Name: name}
	cluster.Cluster.Server, cluster.Cluster.Authority = server, k.Clusters[0].Cluster.Authority
	user := namedUser{Name: name}
	user.User.Token = token
	context := namedContext{Name: name}
	context.Context.Cluster, context.Context.User = name, name
	made.Clusters, made.Users = []namedCluster{cluster}, []namedUser{user}
	made.Contexts = []namedContext{context}
	return made
}

func (k kubeconfig) write(path string) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// api talks to the API server: HTTP/1.1, a connection for each request under way.
type api struct {
	server string
	token  string
	client *http.Client
}

func newAPI(from kubeconfig, connections int) (*api, error) {
	cluster, user := from.Clusters[0].Cluster, from.Users[0].User
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(cluster.Authority) {
		return nil, errors.New("the kubeconfig has no certificate of the cluster")
	}
	settings := &tls.Config{RootCAs: authorities}
	if len(user.Certificate) > 0 {
		pair, err := tls.X509KeyPair(user.Certificate, user.Key)
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{
		TLSClientConfig:     settings,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxConnsPerHost:     connections,
		MaxIdleConnsPerHost: connections,
	}
	return &api{cluster.Server, user.Token, &http.Client{Transport: transport}}, nil
}

// refusal is an answer that is an error.
type refusal struct {
	code int
	text string
}

func (r refusal) Error() string {
	return r.text
}

// ask sends a request and reads its answer into `into`, where that is not nil.
func (a *api) ask(ctx context.Context, method, path, kind, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return refusal{answer.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(text))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (a *api) create(ctx context.Context, path, body string, into any) error {
	return a.ask(ctx, http.MethodPost, path, "application/json", body, into)
}
