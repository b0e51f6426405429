package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// preflight names what this machine lacks, before anything is started.
func (b *Bench) preflight() error {
	if os.Geteuid() != 0 {
		return errors.New("the bench runs containers and needs root")
	}
	var missing []string
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "runc", "dockerd", "docker-registry",
		"ip", "iptables", "iptables-save"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	for _, plugin := range []string{"bridge", "host-local", "portmap", "loopback"} {
		missing = append(missing, absent(filepath.Join(pluginFolder, plugin))...)
	}
	missing = append(missing, absent(busybox)...)
	if len(missing) > 0 {
		return fmt.Errorf("this machine lacks %s: run script/bootstrap", strings.Join(missing, ", "))
	}
	if len(absent("/dev/kmsg")) > 0 {
		return errors.New("the kubelet reads /dev/kmsg, which is absent here: " +
			"in a container, start it privileged or link /dev/kmsg to /dev/console")
	}
	if pid := foreignKubelet(); pid != 0 {
		return fmt.Errorf("another kubelet runs here, pid %d (%s): "+
			"the two would fight over the pods' control groups and the rules of iptables", pid, commandLine(pid))
	}
	if state := b.otherBench(); state != "" {
		return fmt.Errorf("a machine has one bench, and one runs in %s: end it with SHIPWAY_BENCH_STATE=%s script/cluster down",
			state, state)
	}
	return nil
}

func absent(path string) []string {
	if _, err := os.Stat(path); err != nil {
		return []string{path}
	}
	return nil
}

// foreignKubelet gives the pid of a kubelet that is not ours. Ours runs under the bench's name.
func foreignKubelet() int {
	for _, pid := range allPids() {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			continue
		}
		switch strings.TrimSpace(string(name)) {
		case "kubelet", "k3s-server", "k0s", "microk8s":
			return pid
		}
	}
	return 0
}
