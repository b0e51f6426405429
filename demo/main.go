// The demo application: a small server that says who answers, stops gracefully,
// and misbehaves when a variable tells it to, so that a deploy can fail on request.
//
//	demo                 serve until SIGTERM
//	demo load URL        send steady requests and count those that fail
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// commit is set by the linker; see the file `build`.
var commit = "unknown"

// The exit codes. `EXIT` may ask for any other.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitCrashed = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		os.Exit(command(ctx, os.Args[1:]))
	}
	os.Exit(run(ctx, os.LookupEnv, net.Listen))
}

// command runs the one sub-command there is.
func command(ctx context.Context, arguments []string) int {
	if arguments[0] != "load" {
		log.Printf("unknown command %q; there is `demo` and `demo load URL`", arguments[0])
		return exitUsage
	}
	return load(ctx, arguments[1:], os.Stdout)
}

// run serves until ctx ends and returns the exit code.
func run(ctx context.Context, lookup lookupFunc, listen listenFunc) int {
	s, err := readSettings(lookup)
	if err != nil {
		log.Print(err)
		return exitUsage
	}
	if s.exit != nil {
		log.Print("boom: no database")
		return *s.exit
	}
	if !sleep(ctx, s.startDelay) {
		return 0
	}
	listener, err := listen("tcp", s.address)
	if err != nil {
		log.Print(err)
		return exitFailed
	}
	return newApp(s).serve(ctx, listener)
}

type listenFunc func(network, address string) (net.Listener, error)

// sleep reports false when ctx ended before the time was over.
func sleep(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
