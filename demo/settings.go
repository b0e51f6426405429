package main

import (
	"fmt"
	"strconv"
	"time"
)

// settings is what the variables say.
type settings struct {
	address       string        // ADDRESS: where to listen
	color         string        // COLOR: which side of a blue/green pair this is
	startDelay    time.Duration // START_DELAY: seconds before it listens
	neverReady    bool          // NEVER_READY: runs, but /appstatus never answers 200
	crashAfter    time.Duration // CRASH_AFTER: seconds until it dies; 0 is never
	exit          *int          // EXIT: the code with which it exits at once
	shutdownDelay time.Duration // SHUTDOWN_DELAY: seconds it still answers after SIGTERM
}

type lookupFunc func(name string) (string, bool)

// readSettings fails on a value that it cannot read; an empty variable is an unset one.
func readSettings(lookup lookupFunc) (settings, error) {
	r := reader{lookup: lookup}
	s := settings{
		address:       r.text("ADDRESS", ":8080"),
		color:         r.text("COLOR", "none"),
		startDelay:    r.seconds("START_DELAY", 0),
		neverReady:    r.text("NEVER_READY", "") != "",
		crashAfter:    r.seconds("CRASH_AFTER", 0),
		exit:          r.code("EXIT"),
		shutdownDelay: r.seconds("SHUTDOWN_DELAY", 3*time.Second),
	}
	return s, r.err
}

// reader keeps the first error, so that the variables can be read in one piece.
type reader struct {
	lookup lookupFunc
	err    error
}

func (r *reader) text(name, otherwise string) string {
	if value, _ := r.lookup(name); value != "" {
		return value
	}
	return otherwise
}

func (r *reader) seconds(name string, otherwise time.Duration) time.Duration {
	value := r.text(name, "")
	if value == "" {
		return otherwise
	}
	n, err := strconv.ParseFloat(value, 64)
	// written so that NaN, which compares with nothing, is refused too
	if err != nil || !(n >= 0 && n <= 86400) {
		r.refuse(name, value, "a number of seconds")
	}
	return time.Duration(n * float64(time.Second))
}

func (r *reader) code(name string) *int {
	value := r.text(name, "")
	if value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 255 {
		r.refuse(name, value, "an exit code from 0 to 255")
	}
	return &n
}

func (r *reader) refuse(name, value, wanted string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s=%q is not %s", name, value, wanted)
	}
}
