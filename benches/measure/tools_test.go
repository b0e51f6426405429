package main

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestWhatIsWaitedForIsLeftOut(t *testing.T) {
	const (
		written = `{"v":1,"at":"2026-11-20T12:00:08.5Z","event":"apply.done","created":1}` + "\n"
		ready   = `{"v":1,"at":"2026-11-20T12:00:09.25Z","event":"rollout.changed"}` + "\n"
		outcome = `{"v":1,"at":"2026-11-20T12:00:10Z","event":"outcome","ok":true}` + "\n"
	)
	for text, expected := range map[string]time.Duration{
		written + ready + outcome: 750 * time.Millisecond,
		written + outcome:         0,
	} {
		if got, err := waited([]byte(text)); err != nil || got != expected {
			t.Errorf("waited %v, %v", got, err)
		}
	}
	if _, err := waited([]byte(outcome)); err == nil {
		t.Error("nothing was written, and nobody says so")
	}
}

func TestAProcessIsNotAsLargeAsTheProgramThatStartsIt(t *testing.T) {
	held := make([]byte, 256<<20)
	for place := 0; place < len(held); place += 4096 {
		held[place] = 1
	}
	done, err := workshop{folder: t.TempDir()}.call(t.Context(), exec.Command("sleep", "0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if done.memory <= 0 || done.memory > 50 {
		t.Errorf("it held %v MB", done.memory)
	}
	runtime.KeepAlive(held)
}

func TestTheMixOfObjects(t *testing.T) {
	for _, count := range []int{10, 20, 100, 1000} {
		all := objects(count)
		counts, names := map[string]int{}, map[string]bool{}
		for _, each := range all {
			counts[each.plural]++
			names[each.plural+"/"+each.name] = true
		}
		if len(names) != count || len(counts) != kinds {
			t.Errorf("%d objects of %d kinds, %d were asked for", len(names), len(counts), count)
		}
		if counts["configmaps"] != count*4/10 || counts["services"] != count*3/10 {
			t.Errorf("of %d: %v", count, counts)
		}
		if found := strings.Count(manifests(all), "\n---\n") + 1; found != count {
			t.Errorf("%d documents for %d objects", found, count)
		}
	}
}
