package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// checkPorts fails with one line for each port that another process holds.
func checkPorts(parts []component) error {
	var problems []error
	for _, part := range parts {
		for _, port := range part.ports {
			if portFree(port) {
				continue
			}
			problems = append(problems, fmt.Errorf("port %d, which the bench needs for its %s, is taken by %s",
				port, part.name, holder(port)))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.Join(append(problems, errors.New("end what holds it, then run script/cluster up again"))...)
}

func portFree(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}

// holder names the process that listens on a port, as far as it can be found.
func holder(port int) string {
	var sockets []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err == nil {
			sockets = append(sockets, listeners(string(text), port)...)
		}
	}
	for _, inode := range sockets {
		for _, pid := range allPids() {
			if holds(pid, inode) {
				return fmt.Sprintf("pid %d (%s)", pid, commandLine(pid))
			}
		}
	}
	return "a process that cannot be named"
}

// listeners gives the socket inodes that listen on a port in a table of /proc/net.
func listeners(table string, port int) []string {
	const listening = "0A"
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for _, line := range strings.Split(table, "\n") {
		fields := strings.Fields(line)
		if len(fields) > 9 && fields[3] == listening && strings.HasSuffix(fields[1], suffix) {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

func holds(pid int, inode string) bool {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil && target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
