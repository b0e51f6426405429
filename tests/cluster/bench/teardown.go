package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
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

const (
	podCgroup    = "kubepods"
	engineCgroup = "shipway-engine"
	netnsFolder  = "/run/netns"
)

// tearDown ends what the bench started and removes what it made, in whatever state it finds it:
// each step looks at the machine, not at what an earlier run believed to have done.
func (b *Bench) tearDown() error {
	if entries, err := os.ReadDir(b.state); err == nil && len(entries) > 0 && len(absent(b.ownership())) > 0 {
		return fmt.Errorf("%s holds what the bench did not put there: name another folder in SHIPWAY_BENCH_STATE, or empty it",
			b.state)
	}
	b.killComponents()
	// Beside a foreign kubelet or bench the pods, the rules and the bridges may be its own.
	alone := foreignKubelet() == 0 && b.otherBench() == ""
	if alone {
		killCgroup(podCgroup)
		killCgroup(engineCgroup)
	}
	if err := b.killMarked(); err != nil {
		return err
	}
	b.unmountAll()
	if alone {
		removeNamespaces()
		removeBridges()
		removeRules()
		removeCgroup(podCgroup)
		removeCgroup(engineCgroup)
		b.removeTraces()
		b.restoreKernel()
	}
	return b.removeState()
}

func removeBridges() {
	for _, bridge := range []string{podBridge, engineBridge} {
		if _, err := net.InterfaceByName(bridge); err == nil {
			_ = run("ip", "link", "delete", bridge)
		}
	}
}

func (b *Bench) killComponents() {
	for _, part := range b.components() {
		if p := b.running(part.name); p.alive() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
			gone(p, 5*time.Second)
		}
	}
}

// killMarked ends the shims, which outlive containerd, and whatever lost its pid file.
func (b *Bench) killMarked() error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := b.marked()
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("pid %d (%s) does not end", left[0].pid, commandLine(left[0].pid))
		}
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// cgroupFolders gives the folders of a control group: one a hierarchy, or one in all.
func cgroupFolders(name string) []string {
	hierarchies, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + name)
	return append(hierarchies, unified...)
}

// killCgroup ends the processes of containers, which have no shim any more to end them.
func killCgroup(name string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left := 0
		for _, folder := range cgroupFolders(name) {
			for _, pid := range cgroupPids(folder) {
				state, _, err := processStat(pid)
				if err != nil || state == 'Z' {
					continue
				}
				left++
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if left == 0 {
			return
		}
	}
}

func cgroupPids(folder string) []int {
	var pids []int
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		text, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// removeCgroup removes folders depth first. A group is busy for a moment after its last process.
func removeCgroup(name string) {
	for range 50 {
		busy := false
		for _, top := range cgroupFolders(name) {
			var folders []string
			_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					folders = append(folders, path)
				}
				return nil
			})
			for _, folder := range slices.Backward(folders) {
				if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, syscall.ENOENT) {
					busy = true
				}
			}
		}
		if !busy {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unmountAll takes away what is mounted below the state folder, deepest first.
func (b *Bench) unmountAll() {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return
	}
	defer file.Close()
	var points []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		const mountPoint = 4 // Counted from nought, see proc(5).
		if fields := strings.Fields(lines.Text()); len(fields) > mountPoint {
			point := strings.ReplaceAll(fields[mountPoint], `\040`, " ")
			if strings.HasPrefix(point, b.state+"/") {
				points = append(points, point)
			}
		}
	}
	for _, point := range slices.Backward(points) {
		_ = unix.Unmount(point, unix.MNT_DETACH)
	}
}

// removeNamespaces removes the network namespaces of our pods, with their interfaces: those that
// have an address of ours, or none because a plugin was cut short.
func removeNamespaces() {
	folders, _ := filepath.Glob(netnsFolder + "/cni-*")
	ours := strings.TrimSuffix(podNetwork, "0.0/16")
	for _, folder := range folders {
		name := filepath.Base(folder)
		output, err := exec.Command("ip", "-n", name, "-4", "-o", "address", "show", "scope", "global").Output()
		if err != nil || len(output) == 0 || strings.Contains(string(output), " "+ours) {
			if run("ip", "netns", "delete", name) != nil {
				_ = unix.Unmount(folder, unix.MNT_DETACH)
				_ = os.Remove(folder)
			}
		}
	}
}

// removeRules takes the chains of Kubernetes and of the network plugins out of all tables and
// leaves every other rule as it is.
func removeRules() {
	for _, program := range []string{"iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"} {
		saved, err := exec.Command(program + "-save").Output()
		if err != nil {
			continue
		}
		kept := withoutRules(string(saved))
		if kept == string(saved) {
			continue
		}
		restore := exec.Command(program+"-restore", "--wait")
		restore.Stdin = strings.NewReader(kept)
		_ = restore.Run()
	}
}

func withoutRules(saved string) string {
	var kept strings.Builder
	for line := range strings.Lines(saved) {
		if !strings.Contains(line, "KUBE-") && !strings.Contains(line, "CNI-") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// removeTraces removes what components insist on putting outside the state folder.
func (b *Bench) removeTraces() {
	results, _ := filepath.Glob("/var/lib/cni/results/shipway-bench-*")
	for _, result := range results {
		_ = os.Remove(result)
		loopback := strings.Replace(filepath.Base(result), "shipway-bench-", "cni-loopback-", 1)
		_ = os.Remove(filepath.Join("/var/lib/cni/results", strings.TrimSuffix(loopback, "-eth0")+"-lo"))
	}
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, b.state+"/") {
			_ = os.Remove(link)
		}
	}
	// Sockets of shims lie in a folder that all containerds of a machine share; a dead one is
	// known by its silence.
	sockets, _ := filepath.Glob("/run/containerd/s/*")
	for _, socket := range sockets {
		connection, err := net.DialTimeout("unix", socket, time.Second)
		if err == nil {
			connection.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(socket)
		}
	}
	_ = os.Remove("/var/lib/kubelet/device-plugins/kubelet.sock")
	_ = os.Remove("/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint")
	// Rmdir leaves a folder alone that holds anything.
	for _, folder := range []string{"/var/lib/cni/results", "/var/lib/cni", "/var/log/containers",
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/run/containerd/s", "/run/containerd/fifo",
		"/run/containerd", "/run/docker/plugins", "/run/docker", netnsFolder} {
		_ = syscall.Rmdir(folder)
	}
}

// removeState removes the folder; what a lazily unmounted file system still holds needs a moment.
func (b *Bench) removeState() error {
	var err error
	for range 50 {
		if err = os.RemoveAll(b.state); err == nil {
			return nil
		}
		b.unmountAll()
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
