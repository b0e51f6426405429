package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// marker is in the environment of every process that the bench starts, and so of the shims and
// proxies that these start: what is ours can be told even when all pid files are lost.
const marker = "SHIPWAY_BENCH_PART_OF"

// process is known by its pid and the moment it started, for pids are used again.
type process struct {
	pid   int
	start uint64
}

func (p process) String() string { return fmt.Sprintf("%d %d", p.pid, p.start) }

func parseProcess(text string) (process, error) {
	var p process
	if _, err := fmt.Sscanf(text, "%d %d", &p.pid, &p.start); err != nil {
		return process{}, fmt.Errorf("not a pid and a start time: %q", text)
	}
	return p, nil
}

// alive is false for a pid that belongs to another process by now, and for a zombie.
func (p process) alive() bool {
	if p.pid <= 0 {
		return false
	}
	state, start, err := processStat(p.pid)
	return err == nil && start == p.start && state != 'Z' && state != 'X'
}

// age tells how long ago the process started.
func (p process) age() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	const ticksPerSecond = 100 // USER_HZ, part of the kernel's ABI.
	return time.Duration(now.Nano()) - time.Duration(p.start)*time.Second/ticksPerSecond
}

// processStat reads state and start time (in clock ticks since boot) of /proc/PID/stat.
func processStat(pid int) (state byte, start uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(text))
}

func parseStat(text string) (state byte, start uint64, err error) {
	// The command's name stands in brackets and may itself hold brackets and spaces.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const startTime = 19 // Field 22 of proc(5), counted from the state, which is field 3.
	if len(fields) <= startTime {
		return 0, 0, errors.New("stat is too short")
	}
	start, err = strconv.ParseUint(fields[startTime], 10, 64)
	return fields[0][0], start, err
}

func (b *Bench) pidFile(component string) string { return b.path("run", component+".pid") }

// running gives the process of a component; a zero process if there is none.
func (b *Bench) running(component string) process {
	text, err := os.ReadFile(b.pidFile(component))
	if err != nil {
		return process{}
	}
	p, err := parseProcess(string(text))
	if err != nil || !p.alive() {
		return process{}
	}
	return p
}

// launch starts a component in a session of its own, with nothing of the caller's left open:
// it outlives the caller, and nobody who reads the caller's output waits for it.
func (b *Bench) launch(component string, command []string) error {
	log, err := os.OpenFile(b.log(component), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	child := exec.Command(command[0], command[1:]...)
	child.Dir = b.state
	child.Env = b.environment()
	child.Stdout = log
	child.Stderr = log
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("%s: %w", component, err)
	}
	_, start, err := processStat(child.Process.Pid)
	if err != nil {
		return fmt.Errorf("%s: %w", component, err)
	}
	started := process{pid: child.Process.Pid, start: start}
	// A child that ends while we wait for the bench must not stay a zombie.
	go child.Wait() //nolint:errcheck
	return b.write(started.String(), 0o644, "run", component+".pid")
}

// environment is all that a component sees of the caller: nothing. Proxy settings, registry
// variables or a foreign KUBECONFIG would change what it does.
func (b *Bench) environment() []string {
	return []string{
		"PATH=" + b.path("bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + b.path("home"),
		"LANG=C.UTF-8",
		marker + "=" + b.state,
	}
}

// stop ends a component by SIGTERM and, when that takes too long, by SIGKILL.
func (b *Bench) stop(component string, patience time.Duration) {
	p := b.running(component)
	if p.alive() {
		_ = syscall.Kill(p.pid, syscall.SIGTERM)
		if !gone(p, patience) {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
			gone(p, 5*time.Second)
		}
	}
	_ = os.Remove(b.pidFile(component))
}

func gone(p process, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); p.alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// marked lists every living process that carries our marker.
func (b *Bench) marked() []process {
	var found []process
	for _, pid := range allPids() {
		if markOf(pid) != b.state {
			continue
		}
		if _, start, err := processStat(pid); err == nil && pid != os.Getpid() {
			found = append(found, process{pid: pid, start: start})
		}
	}
	return slices.DeleteFunc(found, func(p process) bool { return !p.alive() })
}

// otherBench gives the state folder of a bench that is not this one, if one runs.
func (b *Bench) otherBench() string {
	for _, pid := range allPids() {
		if state := markOf(pid); state != "" && state != b.state {
			return state
		}
	}
	return ""
}

// markOf gives the state folder of the bench that a process belongs to.
func markOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for variable := range strings.SplitSeq(string(text), "\x00") {
		if state, found := strings.CutPrefix(variable, marker+"="); found {
			return state
		}
	}
	return ""
}

func allPids() []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandLine gives what ps shows of a process.
func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}

// closeOnExec keeps descriptors that the caller handed down (a lock, a pipe of CI) from the
// components.
func closeOnExec() {
	names, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		if descriptor, err := strconv.Atoi(filepath.Base(name)); err == nil && descriptor > 2 {
			unix.CloseOnExec(descriptor)
		}
	}
}
