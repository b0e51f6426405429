package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// account is the ServiceAccount that every tool runs as, with a token of its own for each run.
const account = "shipway-measure"

// How long the controllers may take for what was applied.
const patience = 15 * time.Minute

// cluster is the bench as its administrator sees it.
type cluster struct {
	*api
	// the names of what is made begin with it, so that two runs do not meet
	prefix string
	// those that are to be deleted at the end
	namespaces []string
	// how many were made
	made int
}

// prepare makes the account.
func (c *cluster) prepare(ctx context.Context) error {
	if err := c.namespace(ctx, c.prefix); err != nil {
		return err
	}
	path := "/api/v1/namespaces/" + c.prefix + "/serviceaccounts"
	if err := c.create(ctx, path, fmt.Sprintf(`{"metadata":{"name":"%s"}}`, account), nil); err != nil {
		return err
	}
	return c.create(ctx, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", fmt.Sprintf(
		`{"metadata":{"name":"%[1]s"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole",`+
			`"name":"cluster-admin"},"subjects":[{"kind":"ServiceAccount","name":"%[2]s","namespace":"%[1]s"}]}`,
		c.prefix, account), nil)
}

// leave deletes all that was made, and does not wait for it.
func (c *cluster) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path := "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/" + c.prefix
	left := c.ask(ctx, http.MethodDelete, path, "", "", nil)
	for _, name := range c.namespaces {
		left = errors.Join(left, c.ask(ctx, http.MethodDelete, "/api/v1/namespaces/"+name, "", "", nil))
	}
	return left
}

// namespace makes one and waits until the controllers have put into it what every namespace has.
func (c *cluster) namespace(ctx context.Context, name string) error {
	if err := c.create(ctx, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":"%s"}}`, name), nil); err != nil {
		return err
	}
	c.namespaces = append(c.namespaces, name)
	return until(ctx, "namespace/"+name, func() (bool, error) {
		for _, path := range []string{"/serviceaccounts", "/configmaps"} {
			found, err := c.list(ctx, "/api/v1/namespaces/"+name+path)
			if err != nil || len(found) == 0 {
				return false, err
			}
		}
		return true, nil
	})
}

// fresh makes another namespace.
func (c *cluster) fresh(ctx context.Context) (string, error) {
	c.made++
	name := fmt.Sprintf("%s-%d", c.prefix, c.made)
	return name, c.namespace(ctx, name)
}

// remove deletes a namespace and waits until it is gone. Many objects would keep the controllers busy.
func (c *cluster) remove(ctx context.Context, name string) error {
	path := "/api/v1/namespaces/" + name
	if err := c.ask(ctx, http.MethodDelete, path, "", "", nil); err != nil {
		return err
	}
	c.namespaces = slices.DeleteFunc(c.namespaces, func(each string) bool { return each == name })
	return until(ctx, "the end of namespace/"+name, func() (bool, error) {
		err := c.ask(ctx, http.MethodGet, path, "", "", nil)
		if status := (refusal{}); errors.As(err, &status) && status.code == http.StatusNotFound {
			return true, nil
		}
		return false, err
	})
}

// login makes a token of its own for a run; the name is how the audit log calls it.
func (c *cluster) login(ctx context.Context) (token, name string, err error) {
	path := fmt.Sprintf("/api/v1/namespaces/%s/serviceaccounts/%s/token", c.prefix, account)
	var answer struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := c.create(ctx, path, `{"spec":{"expirationSeconds":7200}}`, &answer); err != nil {
		return "", "", err
	}
	parts := strings.Split(answer.Status.Token, ".")
	if len(parts) != 3 {
		return "", "", errors.New("the API server's token is none")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", "", err
	}
	var read struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(claims, &read); err != nil {
		return "", "", err
	}
	return answer.Status.Token, "JTI=" + read.ID, nil
}

type listed struct {
	Metadata struct {
		Generation int64 `json:"generation"`
	} `json:"metadata"`
	Status struct {
		Observed int64 `json:"observedGeneration"`
	} `json:"status"`
}

func (c *cluster) list(ctx context.Context, path string) ([]listed, error) {
	var answer struct {
		Items []listed `json:"items"`
	}
	err := c.ask(ctx, http.MethodGet, path, "", "", &answer)
	return answer.Items, err
}

// settled waits until the controllers have nothing left to do about what was applied, so that they do not take the
// processor from the next run.
func (c *cluster) settled(ctx context.Context, namespace string) error {
	in := "/namespaces/" + namespace
	return until(ctx, "the controllers in "+namespace, func() (bool, error) {
		deployments, err := c.list(ctx, "/apis/apps/v1"+in+"/deployments")
		if err != nil {
			return false, err
		}
		for _, each := range deployments {
			if each.Status.Observed < each.Metadata.Generation {
				return false, nil
			}
		}
		services, err := c.list(ctx, "/api/v1"+in+"/services")
		if err != nil {
			return false, err
		}
		slices, err := c.list(ctx, "/apis/discovery.k8s.io/v1"+in+"/endpointslices")
		return len(slices) == len(services), err
	})
}

// until asks again and again, more and more seldom, until the answer is yes.
func until(ctx context.Context, what string, asked func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := 20 * time.Millisecond
	for {
		if is, err := asked(); is || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}
