package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
)

// bare applies objects with nothing but the requests themselves: what no deployer can beat.
func bare(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("bare", flag.ExitOnError)
	file := flags.String("kubeconfig", "", "a kubeconfig as JSON, with its certificates in it")
	namespace := flags.String("namespace", "", "where to")
	count := flags.Int("objects", 10, "how many")
	parallel := flags.Int("parallel", 32, "requests at once")
	rehearse := flags.Bool("rehearse", false, "a dry run of every object before the first write")
	_ = flags.Parse(arguments)
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	from, err := readKubeconfig(text)
	if err != nil {
		return err
	}
	server, err := newAPI(from, *parallel)
	if err != nil {
		return err
	}
	all := objects(*count)
	if *rehearse {
		if err := server.patch(ctx, all, *namespace, "&dryRun=All", *parallel); err != nil {
			return err
		}
	}
	return server.patch(ctx, all, *namespace, "", *parallel)
}

// patch applies all, so many at once, and answers what was refused.
func (a *api) patch(ctx context.Context, all []object, namespace, query string, parallel int) error {
	next := make(chan object)
	var workers sync.WaitGroup
	refused := make([]error, parallel)
	for worker := range parallel {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for each := range next {
				path := fmt.Sprintf("%s/namespaces/%s/%s/%s?fieldManager=bare&force=true&fieldValidation=Strict%s",
					each.prefix, namespace, each.plural, each.name, query)
				err := a.ask(ctx, http.MethodPatch, path, "application/apply-patch+yaml", each.yaml, nil)
				refused[worker] = errors.Join(refused[worker], err)
			}
		}()
	}
	for _, each := range all {
		next <- each
	}
	close(next)
	workers.Wait()
	return errors.Join(refused...)
}
