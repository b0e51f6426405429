package bench

import (
	"os"
	"os/exec"
	"testing"
)

func TestStatOfACommandWithBracketsInItsName(t *testing.T) {
	text := "4242 (odd) name)) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10\n"
	state, start, err := parseStat(text)
	if err != nil || state != 'S' || start != 987654 {
		t.Fatalf("state %c, start %d, error %v", state, start, err)
	}
}

func TestShortStatIsAnError(t *testing.T) {
	if _, _, err := parseStat("1 (init) S 0"); err == nil {
		t.Fatal("no error")
	}
}

func TestAProcessIsKnownByItsStart(t *testing.T) {
	_, start, err := processStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := process{pid: os.Getpid(), start: start}
	if !own.alive() {
		t.Error("this process is not alive")
	}
	if (process{pid: own.pid, start: start - 1}).alive() {
		t.Error("another process of the same pid is taken for it")
	}
	if (process{}).alive() {
		t.Error("no process at all is alive")
	}
	parsed, err := parseProcess(own.String())
	if err != nil || parsed != own {
		t.Errorf("%v became %v, error %v", own, parsed, err)
	}
}

func TestAZombieIsNotAlive(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_, start, err := processStat(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := process{pid: child.Process.Pid, start: start}
	if !p.alive() {
		t.Error("the child is not alive")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !gone(p, probeTimeout) {
		t.Error("the zombie is alive")
	}
	_ = child.Wait()
}

func TestABrokenPidFileIsNoProcess(t *testing.T) {
	b := &Bench{state: t.TempDir()}
	if err := b.write("rubbish", 0o644, "run", "etcd.pid"); err != nil {
		t.Fatal(err)
	}
	if b.running("etcd").alive() || b.running("absent").alive() {
		t.Error("a process came out of nothing")
	}
}
