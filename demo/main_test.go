package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func variables(pairs ...string) lookupFunc {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func noListener(t *testing.T) listenFunc {
	return func(string, string) (net.Listener, error) {
		t.Error("it listened")
		return nil, io.EOF
	}
}

// start runs the whole application on a free port and returns its URL, a stop
// like SIGTERM, and the exit code when it is known.
func start(t *testing.T, pairs ...string) (string, func(), <-chan int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, variables(pairs...), func(string, string) (net.Listener, error) { return listener, nil })
	}()
	return "http://" + listener.Addr().String(), stop, code
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func wants(t *testing.T, code <-chan int, want int) {
	t.Helper()
	select {
	case got := <-code:
		if got != want {
			t.Errorf("exit code %d, not %d", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		name, path string
		variables  []string
		code       int
		body       string
	}{
		{"home says colour and commit", "/", []string{"COLOR", "green"}, 200, greeting + ": color=green commit=unknown host="},
		{"home without a colour", "/", nil, 200, "color=none"},
		{"ping", "/ping", nil, 200, "pong\n"},
		{"ping while never ready", "/ping", []string{"NEVER_READY", "1"}, 200, "pong\n"},
		{"ready", "/appstatus", nil, 200, `"status":"ok"`},
		{"never ready", "/appstatus", []string{"NEVER_READY", "1"}, 503, "never ready"},
		{"anything else", "/else", nil, 404, "not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := readSettings(variables(c.variables...))
			if err != nil {
				t.Fatal(err)
			}
			answer := httptest.NewRecorder()
			newApp(s).handler().ServeHTTP(answer, httptest.NewRequest("GET", c.path, nil))
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.body) {
				t.Errorf("%d %q, not %d %q", answer.Code, answer.Body, c.code, c.body)
			}
		})
	}
}

func TestStopsGracefully(t *testing.T) {
	url, stop, code := start(t, "SHUTDOWN_DELAY", "1")
	if got, _ := fetch(t, url+"/appstatus"); got != 200 {
		t.Fatalf("not ready: %d", got)
	}
	stop()
	deadline := time.Now().Add(900 * time.Millisecond)
	for got := 200; got != 503; got, _ = fetch(t, url+"/appstatus") {
		if time.Now().After(deadline) {
			t.Fatal("still ready after the signal")
		}
	}
	if got, _ := fetch(t, url+"/"); got != 200 {
		t.Errorf("answered %d while stopping", got)
	}
	wants(t, code, 0)
	if _, err := http.Get(url); err == nil {
		t.Error("still listening after the end")
	}
}

func TestCrashesOnRequest(t *testing.T) {
	_, _, code := start(t, "CRASH_AFTER", "0.05")
	wants(t, code, 3)
}

func TestExitsOnRequest(t *testing.T) {
	for value, want := range map[string]int{"0": 0, "4": 4} {
		if got := run(context.Background(), variables("EXIT", value), noListener(t)); got != want {
			t.Errorf("EXIT=%s gave %d", value, got)
		}
	}
}

func TestStartsSlowly(t *testing.T) {
	url, stop, code := start(t, "START_DELAY", "0.3", "SHUTDOWN_DELAY", "0")
	began := time.Now()
	if got, _ := fetch(t, url+"/ping"); got != 200 {
		t.Errorf("answered %d", got)
	}
	if waited := time.Since(began); waited < 250*time.Millisecond {
		t.Errorf("answered after %s", waited)
	}
	stop()
	wants(t, code, 0)
}

func TestStopsWhileStarting(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if got := run(ctx, variables("START_DELAY", "60"), noListener(t)); got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func TestRefusesValuesThatItCannotRead(t *testing.T) {
	for _, pair := range [][]string{
		{"START_DELAY", "soon"}, {"START_DELAY", "-1"}, {"START_DELAY", "NaN"},
		{"CRASH_AFTER", "1h"}, {"EXIT", "yes"}, {"EXIT", "256"},
	} {
		if got := run(context.Background(), variables(pair...), noListener(t)); got != 2 {
			t.Errorf("%s=%s gave exit code %d", pair[0], pair[1], got)
		}
	}
}

func TestLoadCounts(t *testing.T) {
	url, _, _ := start(t, "COLOR", "blue")
	var out bytes.Buffer
	code := load(context.Background(), []string{"--every", "5ms", "--seconds", "0.1", url + "/"}, &out)
	if code != 0 || !strings.Contains(out.String(), ", failed 0\n") || !strings.Contains(out.String(), "color=blue commit=unknown\n") {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

func TestLoadFailsWhenARequestFails(t *testing.T) {
	url, _, _ := start(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, c := range []struct{ url, says string }{
		{url + "/nowhere", "404 Not Found"},
		{"http://" + listener.Addr().String(), "refused"},
	} {
		var out bytes.Buffer
		code := load(context.Background(), []string{"--seconds", "0.1", c.url}, &out)
		if code != 1 || !strings.Contains(out.String(), c.says) {
			t.Errorf("exit code %d: %s", code, &out)
		}
	}
}

func TestLoadWantsAURL(t *testing.T) {
	if got := load(context.Background(), nil, io.Discard); got != 2 {
		t.Errorf("exit code %d", got)
	}
}
