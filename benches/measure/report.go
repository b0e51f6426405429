package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// figures are all that was measured, as it is written down.
func (m *measure) figures() []figure {
	all := append([]figure(nil), m.others...)
	for _, count := range m.sizes() {
		all = append(all, m.countsOf(count)...)
		for _, distance := range m.options.distances {
			all = append(all, m.timesOf(count, distance)...)
		}
	}
	return all
}

// countsOf is how much each tool asks of the API server, which depends on no machine.
func (m *measure) countsOf(count int) []figure {
	var all []figure
	for _, phase := range phases {
		for _, tool := range tools {
			asked, wrote := m.requests(count, tool, phase)
			if asked == 0 {
				// not measured yet
				continue
			}
			name := fmt.Sprintf("%s, %s: requests of %s", counted(count), phase, tool)
			if tool != shipway || phase == first {
				all = append(all, plain(name, asked, inRequests))
				continue
			}
			wrong := fmt.Sprintf("%s, %s: objects written by %s", counted(count), phase, tool)
			all = append(all, atMost(name, asked, inRequests, kinds+8), atMost(wrong, wrote, inWrites, 0))
		}
	}
	return all
}

// timesOf is how long each tool takes, and how that stands to shipway's time.
func (m *measure) timesOf(count int, distance time.Duration) []figure {
	var times, ratios []figure
	for _, phase := range phases {
		seconds := map[string]float64{}
		for _, tool := range tools {
			if took, measured := m.seconds(subject{count, distance, tool, phase}); measured {
				seconds[tool] = took
				times = append(times, plain(named(count, distance, phase)+tool, took, inSeconds))
			}
		}
		ours, measured := seconds[shipway]
		if !measured {
			continue
		}
		if bare, measured := seconds[rehearsed]; measured && phase == first {
			ratio := plain(named(count, distance, phase)+"shipway against "+rehearsed, ours/bare, timesTheTime)
			ratios = append(ratios, ratio.below(targetAgainstBare(count, distance)))
		}
		for _, tool := range []string{kubectl, helm} {
			if theirs, measured := seconds[tool]; measured {
				ratio := plain(named(count, distance, phase)+"shipway against "+tool, theirs/ours, timesAsQuick)
				ratios = append(ratios, ratio.above(targetAgainstPeers(count, distance, phase)))
			}
		}
	}
	return append(times, ratios...)
}

func named(count int, distance time.Duration, phase string) string {
	return fmt.Sprintf("%s, %s, %s: ", counted(count), roundTrip(distance), phase)
}

// The targets hold where the network counts, and where there is enough to do; zero is none.
func targetAgainstBare(count int, distance time.Duration) float64 {
	if count < 100 || distance == 0 {
		return 0
	}
	return 1.3
}

func targetAgainstPeers(count int, distance time.Duration, phase string) float64 {
	switch {
	case count < 100 || distance == 0:
		return 0
	case phase == again:
		return 10
	case count < 1000:
		return 3
	}
	return 4
}

func (f figure) below(target float64) figure {
	if target == 0 {
		return f
	}
	return atMost(f.Name, f.Value, f.Unit, target)
}

func (f figure) above(target float64) figure {
	if target == 0 {
		return f
	}
	return atLeast(f.Name, f.Value, f.Unit, target)
}

// table writes what each tool took, side by side.
func (m *measure) table(to io.Writer) {
	columns := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer columns.Flush()
	for _, count := range m.sizes() {
		for _, distance := range m.options.distances {
			fmt.Fprintf(columns, "\n")
			fmt.Fprintf(columns, "%s\tfirst\t\tagain\t\t\n", pad(counted(count)+", "+roundTrip(distance)))
			for _, tool := range tools {
				fmt.Fprintf(columns, "%s\t", pad(m.title(tool)))
				for _, phase := range phases {
					took, measured := m.seconds(subject{count, distance, tool, phase})
					if !measured {
						fmt.Fprintf(columns, "-\t\t")
						continue
					}
					asked, _ := m.requests(count, tool, phase)
					fmt.Fprintf(columns, "%.2f s\t%.0f requests\t", took, asked)
				}
				fmt.Fprintf(columns, "\n")
			}
		}
	}
}

func (m *measure) title(tool string) string {
	program, rest, _ := strings.Cut(tool, " ")
	if version := m.versions[tool]; version != "" {
		return strings.TrimSpace(program + " " + version + " " + rest)
	}
	return tool
}

// pad keeps a first column to the left in a table that is aligned to the right.
func pad(text string) string {
	return fmt.Sprintf("%-34s", text)
}

// told writes a line a figure: whether it reaches its target, and how it stands to the kept one. The times are in the
// table already. It answers how many miss their targets.
func told(to io.Writer, figures, kept []figure) int {
	columns := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	defer columns.Flush()
	fmt.Fprintf(columns, "\n\tfigure\tvalue\ttarget\tthe kept one\n")
	missed := 0
	for _, each := range figures {
		if each.Unit == inSeconds {
			continue
		}
		mark, target := "", ""
		if each.Target != nil {
			mark, target = "ok", *each.Target
		}
		if each.missed() {
			mark = "x"
			missed++
		}
		fmt.Fprintf(columns, "%s\t%s\t%v %s\t%s\t%s\n", mark, each.Name, shown(each), each.Unit, target, each.against(kept))
	}
	return missed
}

func shown(of figure) string {
	switch of.Unit {
	case inRequests, inWrites:
		return fmt.Sprintf("%.0f", of.Value)
	case timesTheTime:
		return fmt.Sprintf("%.2f", of.Value)
	}
	return fmt.Sprintf("%.1f", of.Value)
}
