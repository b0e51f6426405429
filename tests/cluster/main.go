// The test bench of shipway: a Kubernetes of one node, a container runtime, a Docker Engine and two
// registries on one machine. One binary holds the components of Kubernetes and the commands that
// start, watch and end them all.
package main

import (
	"errors"
	"fmt"
	"os"

	"shipway.dev/cluster/bench"
)

const usage = `usage: cluster COMMAND

  up                  start the bench, or take over one that is healthy
  down                end everything that the bench started, leave nothing behind
  status              show each component; exit 1 if one is not well
  env                 print the variables that point a shell at the bench
  start COMPONENT     start one component again
  stop COMPONENT      stop one component
  restart COMPONENT   stop and start one component
  kubectl ARGUMENT..  run kubectl against the bench
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if component, known := components[os.Args[1]]; known {
		os.Args = os.Args[1:]
		os.Exit(component())
	}
	os.Exit(manage(os.Args[1], os.Args[2:]))
}

func manage(command string, arguments []string) int {
	executable, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	b := bench.New(executable, sourcesHash(), os.Stdout)
	switch {
	case len(arguments) == 0 && command == "up":
		err = b.Up()
	case len(arguments) == 0 && command == "down":
		err = b.Down()
	case len(arguments) == 0 && command == "status":
		err = b.Status()
	case len(arguments) == 0 && command == "env":
		err = b.Environment()
	case len(arguments) == 1 && command == "start":
		err = b.Start(arguments[0])
	case len(arguments) == 1 && command == "stop":
		err = b.Stop(arguments[0])
	case len(arguments) == 1 && command == "restart":
		err = b.Restart(arguments[0])
	case len(arguments) == 0 && (command == "help" || command == "--help"):
		fmt.Print(usage)
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	return fail(err)
}

// fail reports an error and gives the exit status that goes with it.
func fail(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, bench.ErrReported):
		return 1
	}
	fmt.Fprintf(os.Stderr, "error: %v\n", err)
	return 1
}
