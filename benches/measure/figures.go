package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
)

// figure is one result. Less is better, but for those of which a target says "at least".
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// "<= 1.3" or ">= 4"; none where nothing is demanded
	Target *string `json:"target"`
	OK     *bool   `json:"ok"`
}

// The units. Times are those of one machine; a ratio of times of one run says as much on another.
const (
	inRequests     = "requests"
	inWrites       = "writes"
	inSeconds      = "s"
	inMilliseconds = "ms"
	inMegabytes    = "MB"
	// how many times as long as what is to be equalled: less is better
	timesTheTime = "x"
	// how many times as quick as another tool: more is better
	timesAsQuick = "x quicker"
)

func plain(name string, value float64, unit string) figure {
	return figure{Name: name, Value: rounded(value), Unit: unit}
}

func atMost(name string, value float64, unit string, target float64) figure {
	return judged(plain(name, value, unit), fmt.Sprintf("<= %v", target), value <= target)
}

func atLeast(name string, value float64, unit string, target float64) figure {
	return judged(plain(name, value, unit), fmt.Sprintf(">= %v", target), value >= target)
}

func judged(of figure, target string, ok bool) figure {
	of.Target, of.OK = &target, &ok
	return of
}

func rounded(value float64) float64 {
	return math.Round(value*1000) / 1000
}

// missed is true for a figure that does not reach its target.
func (f figure) missed() bool {
	return f.OK != nil && !*f.OK
}

// isOfThisMachine is true for what another machine would measure otherwise, so that it is not compared.
func (f figure) isOfThisMachine() bool {
	return f.Unit == inSeconds || f.Unit == inMilliseconds
}

// against says in a few words how the figure stands to the one that is kept; nothing where that says nothing.
func (f figure) against(kept []figure) string {
	if f.isOfThisMachine() {
		return ""
	}
	for _, before := range kept {
		if before.Name == f.Name && before.Unit == f.Unit {
			return f.change(before.Value)
		}
	}
	return "not kept yet"
}

func (f figure) change(before float64) string {
	by := f.Value - before
	if f.Unit == timesAsQuick {
		by = -by
	}
	word := "worse"
	if by < 0 {
		word = "better"
	}
	switch {
	case by == 0:
		return "as kept"
	case f.Unit == inRequests || f.Unit == inWrites || before == 0:
		return fmt.Sprintf("%s by %v, was %v", word, math.Abs(by), before)
	}
	percent := math.Round(100 * math.Abs(by) / before)
	if percent == 0 {
		return "as kept"
	}
	return fmt.Sprintf("%s by %v %%, was %v", word, percent, before)
}

// readFigures reads what is kept; nothing where no file is there yet.
func readFigures(path string) ([]figure, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var read []figure
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return read, nil
}

// writeFigures writes a figure a line, so that what changed shows in a diff.
func writeFigures(path string, figures []figure) error {
	lines := make([]string, len(figures))
	for number, each := range figures {
		line, err := marshal(each)
		if err != nil {
			return err
		}
		lines[number] = "  " + line
	}
	return os.WriteFile(path, []byte("[\n"+strings.Join(lines, ",\n")+"\n]\n"), 0o644)
}

// marshal leaves `<` and `>` as they are.
func marshal(of figure) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(of)
	return strings.TrimSpace(text.String()), err
}

// merged puts what was measured over what is kept, and leaves what was not measured this time.
func merged(kept, measured []figure) []figure {
	all := append([]figure(nil), kept...)
	places := map[string]int{}
	for place, each := range all {
		places[each.Name] = place
	}
	for _, each := range measured {
		if place, known := places[each.Name]; known {
			all[place] = each
		} else {
			all = append(all, each)
		}
	}
	return all
}
