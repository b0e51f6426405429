// Package bench starts, watches and ends the test bench.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrReported stands for a failure that was told already.
var ErrReported = errors.New("already reported")

// Bench is the one bench of this machine.
type Bench struct {
	executable string
	version    string
	state      string
	out        io.Writer
}

// component is one process of the bench.
type component struct {
	name    string
	where   string
	ports   []int
	command []string
	probe   func(context.Context) error
}

// New describes the bench that this executable starts; version tells it from one of other sources.
func New(executable, version string, out io.Writer) *Bench {
	return &Bench{executable: executable, version: version, state: StateFolder(), out: out}
}

// stages lists the components in the order of their start; those of one stage start together.
func (b *Bench) stages() [][]component {
	return [][]component{
		{b.etcd(), b.containerd(), b.openRegistry(), b.loginRegistry()},
		{b.apiServer(), b.engine()},
		{b.controllerManager(), b.scheduler(), b.kubelet(), b.proxy()},
	}
}

func (b *Bench) components() []component {
	var all []component
	for _, stage := range b.stages() {
		all = append(all, stage...)
	}
	return all
}

func (b *Bench) component(name string) (component, error) {
	var names []string
	for _, part := range b.components() {
		if part.name == name {
			return part, nil
		}
		names = append(names, part.name)
	}
	return component{}, fmt.Errorf("%q is no component; there are %s", name, strings.Join(names, ", "))
}

// Up takes over a healthy bench of the same version and replaces any other.
func (b *Bench) Up() error {
	closeOnExec()
	begun := time.Now()
	if err := b.preflight(); err != nil {
		return err
	}
	release, err := b.lock()
	if err != nil {
		return err
	}
	defer release()
	reason := b.unfit()
	if reason == "" {
		b.say("the bench is up (taken over in %d ms)", time.Since(begun).Milliseconds())
		return nil
	}
	if reason != absence {
		b.say("replacing the bench: %s", reason)
	}
	if err := b.tearDown(); err != nil {
		return err
	}
	if err := checkPorts(b.components()); err != nil {
		return err
	}
	if err := b.prepare(); err != nil {
		return errors.Join(err, b.tearDown())
	}
	// After a failed start the logs stay for whoever looks into it.
	if err := b.startAll(begun); err != nil {
		return err
	}
	b.say("the bench is up after %s; point a shell at it: eval \"$(script/cluster env)\"", seconds(time.Since(begun)))
	return nil
}

const absence = "there is none"

// unfit tells why the bench that is there cannot be taken over; nothing if it can.
func (b *Bench) unfit() string {
	version, err := os.ReadFile(b.versionFile())
	if err != nil {
		if len(absent(b.state)) > 0 && len(b.marked()) == 0 {
			return absence
		}
		return "it was not started to the end"
	}
	if string(version) != b.version {
		return "it was started from other sources"
	}
	for _, problem := range b.examine() {
		if problem.err != nil {
			return fmt.Sprintf("%s: %v", problem.name, problem.err)
		}
	}
	return ""
}

func (b *Bench) prepare() error {
	// First of all: only a folder with this file in it is ever removed.
	if err := b.write(b.version, 0o644, filepath.Base(b.ownership())); err != nil {
		return err
	}
	for _, folder := range []string{"logs", "run", "home"} {
		if err := os.MkdirAll(b.path(folder), 0o755); err != nil {
			return err
		}
	}
	for _, step := range []func() error{b.setKernel, b.chooseTables, makeBridges, b.makeCertificates,
		b.makeKubeconfigs, b.configureControlPlane, b.configureNode, b.configureEngine, b.configureRegistries} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) startAll(begun time.Time) error {
	for number, stage := range b.stages() {
		for _, part := range stage {
			if err := b.launch(part.name, part.command); err != nil {
				return err
			}
		}
		for _, part := range stage {
			if err := b.awaitComponent(part); err != nil {
				return err
			}
			b.tell(part.name, fmt.Sprintf("pid %d", b.running(part.name).pid), part.where, seconds(time.Since(begun)))
		}
		if number == 0 {
			if err := b.makeImages(); err != nil {
				return err
			}
		}
	}
	kubeletRuns := func() bool { return b.running("kubelet").alive() }
	if err := b.await("kubelet", b.checkCluster, kubeletRuns); err != nil {
		return err
	}
	b.tell(nodeName, "ready", nodeAddress, seconds(time.Since(begun)))
	// Written last: only a bench that was once well can be taken over.
	return b.write(b.version, 0o644, "version")
}

func (b *Bench) awaitComponent(part component) error {
	return b.await(part.name,
		func() error { return b.check(part) },
		func() bool { return b.running(part.name).alive() })
}

// Down ends everything that the bench started and leaves nothing of it.
func (b *Bench) Down() error {
	release, err := b.lock()
	if err != nil {
		return err
	}
	defer release()
	begun := time.Now()
	if b.unfit() == absence {
		b.say("there is no bench")
		return nil
	}
	if err := b.tearDown(); err != nil {
		return err
	}
	b.say("the bench is down after %s", seconds(time.Since(begun)))
	return nil
}

// Start starts one component and waits until it answers.
func (b *Bench) Start(name string) error { return b.change(name, false, true) }

// Stop ends one component; the rest of the bench goes on.
func (b *Bench) Stop(name string) error { return b.change(name, true, false) }

// Restart ends one component and starts it again with all its data.
func (b *Bench) Restart(name string) error { return b.change(name, true, true) }

func (b *Bench) change(name string, stop, start bool) error {
	closeOnExec()
	part, err := b.component(name)
	if err != nil {
		return err
	}
	release, err := b.lock()
	if err != nil {
		return err
	}
	defer release()
	if version, err := os.ReadFile(b.versionFile()); err != nil || string(version) != b.version {
		return errors.New("no bench of these sources is up: run script/cluster up")
	}
	if stop {
		b.stop(name, 2*time.Second)
	}
	if !start || b.running(name).alive() {
		return nil
	}
	if err := b.launch(name, part.command); err != nil {
		return err
	}
	return b.awaitComponent(part)
}
