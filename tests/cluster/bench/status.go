package bench

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// finding is what a check said of a part of the bench.
type finding struct {
	name, where string
	process     process
	err         error
}

// examine checks all parts at once.
func (b *Bench) examine() []finding {
	parts := b.components()
	findings := make([]finding, len(parts)+1)
	var checks sync.WaitGroup
	checks.Add(len(findings))
	for i, part := range parts {
		go func() {
			defer checks.Done()
			findings[i] = finding{name: part.name, where: part.where, process: b.running(part.name), err: b.check(part)}
		}()
	}
	go func() {
		defer checks.Done()
		findings[len(parts)] = finding{name: nodeName, where: nodeAddress, err: b.checkCluster()}
	}()
	checks.Wait()
	return findings
}

// Status shows each part; it fails with ErrReported if one is not well.
func (b *Bench) Status() error {
	if b.unfit() == absence {
		b.say("there is no bench; start it with script/cluster up")
		return ErrReported
	}
	well := true
	for _, found := range b.examine() {
		switch {
		case found.err != nil:
			well = false
			b.tell(found.name, "BROKEN", firstLine(found.err), "")
		case found.process.pid == 0:
			b.tell(found.name, "ready", found.where, "")
		default:
			b.tell(found.name, fmt.Sprintf("pid %d", found.process.pid), found.where, "up "+duration(found.process.age()))
		}
	}
	b.tell("state", "", b.state, "")
	b.tell("logs", "", b.path("logs"), "")
	b.tell("audit log", "", b.auditLog(), "")
	if version, err := os.ReadFile(b.versionFile()); err == nil && string(version) != b.version {
		b.say("it was started from other sources; script/cluster up would replace it")
	}
	if !well {
		b.say("the bench is broken; script/cluster up replaces it")
		return ErrReported
	}
	return nil
}

// Environment prints what points a shell at the bench, for eval.
func (b *Bench) Environment() error {
	if !b.running("apiserver").alive() {
		return fmt.Errorf("the bench is not up: run script/cluster up")
	}
	for _, variable := range [][2]string{
		{"KUBECONFIG", b.kubeconfig()},
		{"DOCKER_HOST", "unix://" + b.engineSocket()},
		{"REGISTRY", registryOpen},
		{"REGISTRY_LOGIN", registryLogin},
		{"REGISTRY_USER", registryUser},
		{"REGISTRY_PASSWORD_FILE", b.passwordFile()},
		{"SHIPWAY_BENCH_AUDIT_LOG", b.auditLog()},
	} {
		b.say("export %s=%s", variable[0], variable[1])
	}
	return nil
}

func (b *Bench) say(format string, arguments ...any) {
	fmt.Fprintf(b.out, format+"\n", arguments...)
}

// tell prints one aligned line.
func (b *Bench) tell(name, state, where, moment string) {
	fmt.Fprintln(b.out, strings.TrimRight(fmt.Sprintf("%-20s%-12s%-44s%s", name, state, where, moment), " "))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func seconds(length time.Duration) string { return fmt.Sprintf("%.1f s", length.Seconds()) }

func duration(length time.Duration) string { return length.Round(time.Second).String() }
