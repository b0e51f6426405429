package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// greeting is the first word of the page.
const greeting = "hello"

// stopLimit bounds how long requests in flight may take once the listener is closed.
const stopLimit = 10 * time.Second

type app struct {
	settings
	host     string
	draining atomic.Bool
}

func newApp(s settings) *app {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &app{settings: s, host: host}
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /ping", ping)
	mux.HandleFunc("GET /appstatus", a.appstatus)
	return mux
}

func (a *app) home(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "%s: color=%s commit=%s host=%s\n", greeting, a.color, commit, a.host)
}

// ping is for the liveness probe: the process answers, whatever its state.
func ping(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "pong")
}

// appstatus is for the readiness probe and for the switch between colours.
func (a *app) appstatus(w http.ResponseWriter, _ *http.Request) {
	code, status := http.StatusOK, a.status()
	if status != "ok" {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"status": status, "color": a.color, "commit": commit, "host": a.host,
	})
}

func (a *app) status() string {
	switch {
	case a.neverReady:
		return "never ready, as NEVER_READY asks"
	case a.draining.Load():
		return "stopping"
	default:
		return "ok"
	}
}

// serve answers until ctx ends or CRASH_AFTER is over, and returns the exit code.
func (a *app) serve(ctx context.Context, listener net.Listener) int {
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: stopLimit}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("listening on %s: color=%s commit=%s", listener.Addr(), a.color, commit)
	select {
	case err := <-failed:
		log.Print(err)
		return exitFailed
	case <-a.crash():
		log.Print("boom: lost the database")
		return exitCrashed
	case <-ctx.Done():
		return a.stop(server)
	}
}

// crash is a channel that never speaks unless CRASH_AFTER is set.
func (a *app) crash() <-chan time.Time {
	if a.crashAfter == 0 {
		return nil
	}
	return time.After(a.crashAfter)
}

// stop says "not ready" first and goes on answering: traffic is still sent here
// until every node has heard that this pod is leaving.
func (a *app) stop(server *http.Server) int {
	a.draining.Store(true)
	log.Printf("stopping: answering for another %s", a.shutdownDelay)
	time.Sleep(a.shutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
		return exitFailed
	}
	log.Print("stopped")
	return 0
}
