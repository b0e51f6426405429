package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// setting is a value of the kernel that the bench needs. Where raise is true any greater value
// serves as well.
type setting struct {
	name, value string
	raise       bool
}

var kernelSettings = []setting{
	{name: "net/ipv4/ip_forward", value: "1"},
	// NodePorts on 127.0.0.1 are routed to pods.
	{name: "net/ipv4/conf/all/route_localnet", value: "1"},
	// Answers between two pods of one bridge must pass the proxy's rules again.
	{name: "net/bridge/bridge-nf-call-iptables", value: "1"},
	{name: "fs/inotify/max_user_instances", value: "8192", raise: true},
	{name: "fs/inotify/max_user_watches", value: "524288", raise: true},
}

// setKernel writes down what stood there before, so that the end of the bench can put it back.
func (b *Bench) setKernel() error {
	before := map[string]string{}
	for _, setting := range kernelSettings {
		text, err := os.ReadFile(filepath.Join("/proc/sys", setting.name))
		if errors.Is(err, os.ErrNotExist) {
			continue // A kernel without bridge filtering passes bridged traffic as it is.
		}
		if err != nil {
			return err
		}
		if value := strings.TrimSpace(string(text)); !setting.holds(value) {
			before[setting.name] = value
		}
	}
	text, err := json.Marshal(before)
	if err != nil {
		return err
	}
	if err := b.write(string(text), 0o644, "kernel-before.json"); err != nil {
		return err
	}
	for _, setting := range kernelSettings {
		if _, differs := before[setting.name]; !differs {
			continue
		}
		path := filepath.Join("/proc/sys", setting.name)
		if err := os.WriteFile(path, []byte(setting.value), 0o644); err != nil {
			return fmt.Errorf("%s must be %s: %w", path, setting.value, err)
		}
	}
	return nil
}

func (s setting) holds(value string) bool {
	if value == s.value {
		return true
	}
	have, errHave := strconv.Atoi(value)
	want, errWant := strconv.Atoi(s.value)
	return s.raise && errHave == nil && errWant == nil && have >= want
}

func (b *Bench) restoreKernel() {
	var before map[string]string
	text, err := os.ReadFile(b.path("kernel-before.json"))
	if err != nil || json.Unmarshal(text, &before) != nil {
		return
	}
	for name, value := range before {
		_ = os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644)
	}
}

// makeBridges makes them before anything needs them: the kubelet refuses an address that no
// interface has, and the engine a bridge that does not exist.
func makeBridges() error {
	_, prefix, _ := strings.Cut(podNetwork, "/")
	for bridge, address := range map[string]string{
		podBridge:    nodeAddress + "/" + prefix,
		engineBridge: engineSubnet,
	} {
		for _, command := range [][]string{
			{"ip", "link", "add", bridge, "type", "bridge"},
			{"ip", "address", "add", address, "dev", bridge},
			{"ip", "link", "set", bridge, "up"},
		} {
			if err := run(command...); err != nil {
				return err
			}
		}
	}
	return nil
}

// chooseTables finds the kind of iptables that works on this kernel and puts it first in the path
// of all components: the proxy, the kubelet and the network plugins must use the same one.
func (b *Bench) chooseTables() error {
	if err := os.MkdirAll(b.path("bin"), 0o755); err != nil {
		return err
	}
	var failures []error
	for _, kind := range []string{"nft", "legacy"} {
		if err := tablesWork(kind); err != nil {
			failures = append(failures, err)
			continue
		}
		for _, name := range []string{"iptables", "ip6tables"} {
			for _, suffix := range []string{"", "-save", "-restore"} {
				program, err := exec.LookPath(name + "-" + kind + suffix)
				if err != nil {
					return err
				}
				if err := os.Symlink(program, b.path("bin", name+suffix)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return fmt.Errorf("no kind of iptables works here: %w", errors.Join(failures...))
}

// tablesWork tries the matches that the proxy's rules are made of.
func tablesWork(kind string) error {
	const chain = "KUBE-TRY"
	program := "iptables-" + kind
	defer func() {
		_ = run(program, "-w", "-t", "nat", "-F", chain)
		_ = run(program, "-w", "-t", "nat", "-X", chain)
	}()
	_ = run(program, "-w", "-t", "nat", "-N", chain)
	return run(program, "-w", "-t", "nat", "-A", chain, "-m", "comment", "--comment", "try",
		"-m", "statistic", "--mode", "random", "--probability", "0.5",
		"-p", "tcp", "-j", "DNAT", "--to-destination", "127.0.0.1:1")
}

// run runs a program of the system; its error holds what the program said.
func run(command ...string) error {
	output, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
