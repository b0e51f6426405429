package main

import (
	"path/filepath"
	"reflect"
	"testing"
)

func TestAFigureIsComparedWithTheKeptOne(t *testing.T) {
	for _, row := range []struct {
		unit        string
		kept, value float64
		said        string
	}{
		{timesTheTime, 1.2, 1.2, "as kept"},
		{timesTheTime, 1.2, 1.201, "as kept"},
		{timesTheTime, 1.0, 1.1, "worse by 10 %, was 1"},
		{timesAsQuick, 10, 8, "worse by 20 %, was 10"},
		{timesAsQuick, 10, 12, "better by 20 %, was 10"},
		{inRequests, 11, 13, "worse by 2, was 11"},
		{inRequests, 11, 10, "better by 1, was 11"},
		{inWrites, 0, 3, "worse by 3, was 0"},
		{inMegabytes, 80, 60, "better by 25 %, was 80"},
		{inSeconds, 1, 2, ""},
	} {
		kept := []figure{plain("other", 7, row.unit), plain("this", row.kept, row.unit)}
		if said := plain("this", row.value, row.unit).against(kept); said != row.said {
			t.Errorf("%v %s after %v: %q, not %q", row.value, row.unit, row.kept, said, row.said)
		}
	}
	if said := plain("new", 1, inRequests).against(nil); said != "not kept yet" {
		t.Errorf("a new one: %q", said)
	}
}

func TestWhatIsKeptIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	if kept, err := readFigures(path); err != nil || kept != nil {
		t.Fatalf("no file: %v, %v", kept, err)
	}
	first := []figure{plain("a", 1.23456, inSeconds), atMost("b", 1.4, timesTheTime, 1.3)}
	again := []figure{atMost("b", 1.3, timesTheTime, 1.3), atLeast("c", 3.5, timesAsQuick, 4)}
	if err := writeFigures(path, merged(first, again)); err != nil {
		t.Fatal(err)
	}
	kept, err := readFigures(path)
	if err != nil {
		t.Fatal(err)
	}
	if expected := []figure{first[0], again[0], again[1]}; !reflect.DeepEqual(kept, expected) {
		t.Errorf("read %+v", kept)
	}
	if kept[0].OK != nil || kept[1].missed() || !kept[2].missed() || first[1].OK == nil || *first[1].OK {
		t.Errorf("judged wrongly: %+v", kept)
	}
}
