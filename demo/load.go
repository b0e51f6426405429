package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

// tally counts what came back; it is filled by many requests at once.
type tally struct {
	sync.Mutex
	requests int
	errors   []string
	answers  map[string]int
	// who answers for the first time is told here at once
	news io.Writer
}

// load sends a request at each tick until ctx ends or the seconds are over, then
// prints how many failed and who answered. Any failure, or no request at all, is exit 1.
// Who answers for the first time is told on standard error at once.
func load(ctx context.Context, arguments []string, out io.Writer) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	every := flags.Duration("every", 50*time.Millisecond, "time between two requests")
	seconds := flags.Float64("seconds", 0, "stop by itself after this time; 0 is at SIGTERM")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: demo load [--every 50ms] [--seconds N] URL")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil || flags.NArg() != 1 || *every <= 0 {
		flags.Usage()
		return exitUsage
	}
	if *seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*seconds*float64(time.Second)))
		defer cancel()
	}
	t := trickle(ctx, flags.Arg(0), *every)
	t.print(out)
	if t.requests == 0 || len(t.errors) > 0 {
		return exitFailed
	}
	return 0
}

// trickle keeps its pace: a slow answer does not hold up the next request.
func trickle(ctx context.Context, url string, every time.Duration) *tally {
	t := &tally{answers: map[string]int{}, news: os.Stderr}
	// a new connection each time, or one lucky pod would answer them all
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var inFlight sync.WaitGroup
	for ctx.Err() == nil {
		inFlight.Add(1)
		go func() {
			defer inFlight.Done()
			t.count(get(client, url))
		}()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	inFlight.Wait()
	return t
}

// get returns who answered: the page up to the name of its host.
func get(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	who, _, _ := strings.Cut(strings.TrimSpace(string(body)), " host=")
	return who, nil
}

func (t *tally) count(who string, err error) {
	t.Lock()
	defer t.Unlock()
	t.requests++
	if err != nil {
		t.errors = append(t.errors, err.Error())
		return
	}
	if t.answers[who] == 0 {
		fmt.Fprintln(t.news, who)
	}
	t.answers[who]++
}

func (t *tally) print(out io.Writer) {
	fmt.Fprintf(out, "requests %d, failed %d\n", t.requests, len(t.errors))
	names := make([]string, 0, len(t.answers))
	for who := range t.answers {
		names = append(names, who)
	}
	sort.Strings(names)
	for _, who := range names {
		fmt.Fprintf(out, "  %5d  %s\n", t.answers[who], who)
	}
	for i, err := range t.errors {
		if i == 5 {
			fmt.Fprintf(out, "  and %d more errors\n", len(t.errors)-i)
			break
		}
		fmt.Fprintf(out, "  error  %s\n", err)
	}
}
