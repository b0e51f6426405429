// Measures shipway beside other deployers, on the bench that tests/cluster brings up. script/bench
// builds and calls it; docs/benchmarks.md says what the figures mean.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: measure COMMAND

  run [FLAG..] [SIZE..]   measure, print a table, write the results; script/bench sets the flags
  bare [FLAG..]           apply objects by bare requests, as quickly as the server takes them
  delay [FLAG..]          a relay that adds a round trip to every connection, until it is interrupted
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	commands := map[string]func(context.Context, []string) error{
		"run":   run,
		"bare":  bare,
		"delay": delay,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	err := commands[os.Args[1]](ctx, os.Args[2:])
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}
