package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

type options struct {
	workshop
	kubeconfig, audit, results, kept string
	quick, keep, memory              bool
	// numbers of objects; all that are usual if none is named
	sizes []int
	// the round trips to the API server
	distances []time.Duration
}

// isWhole is true where all is measured that there is to measure.
func (o options) isWhole() bool {
	return len(o.sizes) == 0 && len(o.distances) == len(usual) && !o.memory
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	flags.StringVar(&o.shipway, "shipway", "", "the shipway that is measured")
	flags.StringVar(&o.workshop.kubectl, "kubectl", "", "the kubectl beside it")
	flags.StringVar(&o.workshop.helm, "helm", "", "the helm beside it")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the administrator's, as JSON with its certificates in it")
	flags.StringVar(&o.audit, "audit", "", "the API server's audit log")
	flags.StringVar(&o.folder, "work", "", "an empty folder to work in")
	flags.StringVar(&o.results, "results", "", "the file that the results are written to")
	flags.StringVar(&o.kept, "kept", "", "the file with the results that these are compared with")
	flags.BoolVar(&o.keep, "keep", false, "write these results over the kept ones")
	flags.BoolVar(&o.quick, "quick", false, "a run of each, and only small sizes")
	flags.BoolVar(&o.memory, "memory", false, "only the memory of many objects")
	o.distances = usual
	flags.Func("round-trip", "this round trip alone, in milliseconds: 0 or more", func(text string) error {
		milliseconds, err := strconv.ParseUint(text, 10, 16)
		o.distances = []time.Duration{time.Duration(milliseconds) * time.Millisecond}
		return err
	})
	_ = flags.Parse(arguments)
	for _, argument := range flags.Args() {
		size, err := strconv.Atoi(argument)
		if err != nil || size < 4 || size > 5000 {
			return o, fmt.Errorf("%q is no number of objects from 4 to 5000", argument)
		}
		o.sizes = append(o.sizes, size)
	}
	var err error
	o.self, err = os.Executable()
	return o, err
}

// run measures all that is asked for, and cleans up whatever happens.
func run(ctx context.Context, arguments []string) (err error) {
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	kept, err := readFigures(o.kept)
	if err != nil {
		return err
	}
	m, err := newMeasure(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.leave()) }()
	ended := m.all(ctx, o)
	// what was measured until then is not lost
	m.table(os.Stdout)
	missed := told(os.Stdout, m.figures(), kept)
	if ended == nil && missed > 0 {
		return fmt.Errorf("%d of the targets are missed", missed)
	}
	return ended
}

// note writes down what is measured so far: a run that is interrupted keeps it. Where only a part is measured, the rest
// stays as it was.
func (m *measure) note() error {
	return writeFigures(m.options.results, merged(m.noted, m.figures()))
}

// keep notes, and writes what is complete over the kept results, where that is asked for.
func (m *measure) keep() error {
	if err := m.note(); err != nil || !m.options.keep {
		return err
	}
	kept, err := readFigures(m.options.kept)
	if err != nil {
		return err
	}
	return writeFigures(m.options.kept, merged(kept, m.figures()))
}

// all measures in an order in which the larger sizes come last, since the cluster is still busy with them afterwards.
func (m *measure) all(ctx context.Context, o options) error {
	if o.memory {
		return errors.Join(m.memory(ctx), m.keep())
	}
	sizes := o.sizes
	switch {
	case len(sizes) > 0:
	case o.quick:
		sizes = []int{10, 100}
	default:
		sizes = []int{10, 100, 1000}
	}
	if o.isWhole() {
		if err := errors.Join(m.program(ctx), m.plans(ctx), m.keep()); err != nil {
			return err
		}
	}
	for _, size := range sizes {
		for _, distance := range o.distances {
			if err := m.size(ctx, size, distance); err != nil {
				return err
			}
			if err := m.keep(); err != nil {
				return err
			}
		}
	}
	if o.isWhole() && !o.quick {
		return errors.Join(m.memory(ctx), m.keep())
	}
	return nil
}

// program measures the binary itself: how large it is, and how long it takes to start.
func (m *measure) program(ctx context.Context) error {
	found, err := os.Stat(m.workshop.shipway)
	if err != nil {
		return err
	}
	m.others = append(m.others, atMost("size of the binary", float64(found.Size())/1e6, inMegabytes, 12))
	for _, flag := range []string{"--help", "--version"} {
		seconds, err := m.workshop.hyperfine(ctx, m.workshop.shipway, flag)
		if err != nil {
			return err
		}
		m.others = append(m.others, atMost("start of shipway "+flag, 1000*seconds, inMilliseconds, 10))
	}
	for _, other := range []struct{ name, program, flag string }{
		{"start of kubectl --help", m.workshop.kubectl, "--help"},
		{"start of helm --help", m.workshop.helm, "--help"},
	} {
		seconds, err := m.workshop.hyperfine(ctx, other.program, other.flag)
		if err != nil {
			return err
		}
		m.others = append(m.others, plain(other.name, 1000*seconds, inMilliseconds))
	}
	return nil
}

// plans measures `plan` of 20 objects that are deployed already.
func (m *measure) plans(ctx context.Context) error {
	const count, runs = 20, 5
	for _, distance := range m.options.distances {
		at, err := m.ready(ctx, count, distance)
		if err != nil {
			return err
		}
		if _, err := m.deploy(ctx, shipway, at, distance); err != nil {
			return err
		}
		var took []float64
		for range runs {
			ended, err := m.workshop.call(ctx, m.workshop.plan(ctx, at))
			if err != nil {
				return err
			}
			took = append(took, ended.took.Seconds())
		}
		name := fmt.Sprintf("plan of %d unchanged objects, %s", count, roundTrip(distance))
		m.others = append(m.others, atMost(name, 1000*median(took), inMilliseconds, 300))
	}
	return nil
}

// memory measures the peak of a deploy of many objects.
func (m *measure) memory(ctx context.Context) error {
	const count = 5000
	at, err := m.ready(ctx, count, 0)
	if err != nil {
		return err
	}
	for _, phase := range phases {
		done, err := m.deploy(ctx, shipway, at, 0)
		if err != nil {
			return err
		}
		m.progress("%s, %s: shipway had %.0f MB", counted(count), phase, done.memory)
		m.others = append(m.others, atMost(fmt.Sprintf("memory of shipway, %s, %s", counted(count), phase),
			done.memory, inMegabytes, 100))
	}
	return nil
}

// size lets every tool apply so many objects, as often as it takes, in turn.
func (m *measure) size(ctx context.Context, count int, distance time.Duration) error {
	for number := range most {
		for turn := range tools {
			// none is always the first, or always the one after a slow one
			tool := tools[(turn+number)%len(tools)]
			runs := runs(tool, count, m.options.quick)
			if number >= runs {
				continue
			}
			said := fmt.Sprintf("%s, %s, run %d of %d: %-27s", counted(count), roundTrip(distance), number+1, runs, tool)
			at, err := m.ready(ctx, count, distance)
			if err != nil {
				return err
			}
			for _, phase := range phases {
				done, err := m.deploy(ctx, tool, at, distance)
				if err != nil {
					return err
				}
				m.add(subject{count, distance, tool, phase}, done)
				said += fmt.Sprintf(" %8.2f s", done.seconds)
			}
			m.progress("%s", said)
			if err := m.note(); err != nil {
				return err
			}
			if isLarge(count) {
				if err := m.remove(ctx, at.namespace); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// runs is how often a tool is measured, at most `most` times: what takes long varies little.
func runs(tool string, count int, quick bool) int {
	isPeer := tool == kubectl || tool == helm
	switch {
	case quick, isLarge(count) && isPeer:
		return 1
	case isLarge(count):
		return 2
	}
	return most
}

const most = 3

func isLarge(count int) bool {
	return count >= 1000
}

func (m *measure) progress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
}
