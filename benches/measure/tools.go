package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The tools, by the names that figures have of them.
const (
	shipway   = "shipway"
	kubectl   = "kubectl apply --server-side"
	helm      = "helm upgrade --install"
	rehearsed = "bare dry runs + PATCH"
	patched   = "bare PATCH"
)

// place is where a tool is let loose: so many objects for a namespace, and a server to be reached.
type place struct {
	count      int
	namespace  string
	kubeconfig string
}

// workshop is the folder in which everything lies that the tools need.
type workshop struct {
	folder string
	// the programs
	shipway, kubectl, helm, self string
}

func (w workshop) path(names ...string) string {
	return filepath.Join(append([]string{w.folder}, names...)...)
}

// prepare makes a repository for shipway, and a home in which no settings lie.
func (w workshop) prepare(ctx context.Context) error {
	for _, folder := range []string{"home", "repository"} {
		if err := os.MkdirAll(w.path(folder), 0o755); err != nil {
			return err
		}
	}
	settings := "app: measure\n" +
		"environments:\n  qa: {branches: [\"*\"]}\n" +
		"deploy: {settle: 0s}\n"
	if err := os.WriteFile(w.path("repository", "shipway.yaml"), []byte(settings), 0o644); err != nil {
		return err
	}
	for _, line := range []string{
		"init -q -b feature", "add -A",
		"-c user.name=measure -c user.email=measure@example.com commit -q -m Measure",
	} {
		if _, err := w.call(ctx, w.command(ctx, "git", strings.Fields(line)...)); err != nil {
			return err
		}
	}
	return nil
}

// objects writes so many objects as one file for shipway and kubectl, and as a chart for helm.
func (w workshop) objects(count int) error {
	templates := w.path("chart", strconv.Itoa(count), "templates")
	if err := os.MkdirAll(templates, 0o755); err != nil {
		return err
	}
	text := []byte(manifests(objects(count)))
	chart := []byte("apiVersion: v2\nname: measure\nversion: 0.1.0\n")
	return errors.Join(
		os.WriteFile(w.manifests(count), text, 0o644),
		os.WriteFile(filepath.Join(templates, "objects.yaml"), text, 0o644),
		os.WriteFile(filepath.Join(filepath.Dir(templates), "Chart.yaml"), chart, 0o644),
	)
}

func (w workshop) manifests(count int) string {
	return w.path(fmt.Sprintf("objects-%d.yaml", count))
}

// apply is what a user of the tool would type; the same the first time and again.
func (w workshop) apply(ctx context.Context, tool string, at place) *exec.Cmd {
	count := strconv.Itoa(at.count)
	program := map[string][]string{
		shipway: {w.shipway, "deploy", "--output", "json", "--namespace", at.namespace, "-f", w.manifests(at.count)},
		kubectl: {w.kubectl, "apply", "--server-side", "-n", at.namespace, "-f", w.manifests(at.count)},
		helm:    {w.helm, "upgrade", "--install", "measure", w.path("chart", count), "-n", at.namespace},
		patched: {w.self, "bare", "-kubeconfig", at.kubeconfig, "-namespace", at.namespace, "-objects", count},
		rehearsed: {w.self, "bare", "-rehearse", "-kubeconfig", at.kubeconfig, "-namespace", at.namespace,
			"-objects", count},
	}[tool]
	return w.at(at, w.command(ctx, program[0], program[1:]...))
}

func (w workshop) plan(ctx context.Context, at place) *exec.Cmd {
	return w.at(at, w.command(ctx, w.shipway, "plan", "--namespace", at.namespace, "-f", w.manifests(at.count)))
}

func (w workshop) at(at place, command *exec.Cmd) *exec.Cmd {
	command.Env = append(command.Env, "KUBECONFIG="+at.kubeconfig)
	return command
}

// command runs with an environment of its own: the settings of whoever measures do not count.
func (w workshop) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = w.path("repository")
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.path("home"), "LANG=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1",
	}
	// an interrupt is for this program, which ends the tool and cleans up
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command
}

// ended is what a command left behind.
type ended struct {
	took   time.Duration
	output []byte
	// the most memory that it had at once, in MB of a million bytes
	memory float64
}

// call runs a command to its end.
func (w workshop) call(ctx context.Context, command *exec.Cmd) (ended, error) {
	var output, said bytes.Buffer
	command.Stdout, command.Stderr = &output, &said
	began := time.Now()
	err := command.Start()
	var peak func() float64
	if err == nil {
		peak = watchMemory(command.Process.Pid)
		err = command.Wait()
	}
	took := time.Since(began)
	if ctx.Err() != nil {
		return ended{}, errors.New("interrupted")
	}
	if err != nil {
		return ended{}, fmt.Errorf("%s: %w\n%s%s", strings.Join(command.Args, " "), err,
			last(said.Bytes()), last(output.Bytes()))
	}
	return ended{took, output.Bytes(), peak()}, nil
}

// watchMemory looks every few milliseconds at the most memory that a process has held so far; the function that it answers
// ends that, and tells the peak in MB of a million bytes. What a process that has ended says of itself (ru_maxrss) is at
// least what the program held that started it.
func watchMemory(process int) func() float64 {
	ended, peak := make(chan struct{}), make(chan float64)
	go func() {
		most := 0.0
		for {
			most = max(most, heldMost(process))
			select {
			case <-ended:
				peak <- most
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(ended)
		return <-peak
	}
}

// heldMost reads VmHWM of proc_pid_status(5), which is in kB; 0 for a process that has ended.
func heldMost(process int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 64)
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}

// last is the end of a text that may be long.
func last(text []byte) []byte {
	return text[max(0, len(text)-2000):]
}

// waited is how long a deploy only followed what the controllers did: from the last object written to the last thing
// that was seen of the rollout. The other tools were not asked to wait.
func waited(events []byte) (time.Duration, error) {
	var done, seen time.Time
	for _, line := range bytes.Split(bytes.TrimSpace(events), []byte("\n")) {
		var event struct {
			At   time.Time `json:"at"`
			Name string    `json:"event"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return 0, fmt.Errorf("the events of shipway: %w", err)
		}
		switch {
		case event.Name == "apply.done":
			done = event.At
		case strings.HasPrefix(event.Name, "rollout."):
			seen = event.At
		}
	}
	if done.IsZero() {
		return 0, errors.New("shipway did not say that all is written")
	}
	return max(0, seen.Sub(done)), nil
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// version is the number that a program says of itself.
func (w workshop) version(ctx context.Context, program string, arguments ...string) (string, error) {
	said, err := w.call(ctx, w.command(ctx, program, arguments...))
	return versionNumber.FindString(string(said.output)), err
}

// hyperfine is the median time of starting a program, in seconds.
func (w workshop) hyperfine(ctx context.Context, program string, flag string) (float64, error) {
	file := w.path("hyperfine.json")
	command := w.command(ctx, "hyperfine", "-N", "--warmup", "3", "--runs", "20", "--export-json", file,
		"'"+program+"' "+flag)
	if _, err := w.call(ctx, command); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var read struct {
		Results []struct {
			Median float64 `json:"median"`
		} `json:"results"`
	}
	if err := json.Unmarshal(text, &read); err != nil || len(read.Results) != 1 {
		return 0, fmt.Errorf("what hyperfine measured cannot be read: %w", err)
	}
	return read.Results[0].Median, nil
}
