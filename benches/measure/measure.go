package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"
)

var (
	tools = []string{shipway, kubectl, helm, rehearsed, patched}
	// the same command twice: when nothing is there yet, and when nothing is to change
	phases = []string{first, again}
	// the round trips to the API server
	usual = []time.Duration{0, 20 * time.Millisecond}
)

const (
	first = "first"
	again = "again"
)

// subject is what a time and a number of requests are measured of.
type subject struct {
	count    int
	distance time.Duration
	tool     string
	phase    string
}

// result is what one run came to.
type result struct {
	// of the whole process, without what it only waited for
	seconds float64
	memory  float64
	// what the audit log calls the login of this run
	login string
}

// measure holds what is needed to measure, and what came of it.
type measure struct {
	*cluster
	options  options
	workshop workshop
	admin    kubeconfig
	// the server's address by distance
	servers  map[time.Duration]string
	relays   []*relay
	audit    *auditLog
	versions map[string]string
	results  map[subject][]result
	// figures of no tool and no number of objects
	others []figure
	// what earlier runs wrote down, where this one measures a part
	noted []figure
}

func newMeasure(ctx context.Context, o options) (*measure, error) {
	text, err := os.ReadFile(o.kubeconfig)
	if err != nil {
		return nil, err
	}
	admin, err := readKubeconfig(text)
	if err != nil {
		return nil, err
	}
	server, err := newAPI(admin, 4)
	if err != nil {
		return nil, err
	}
	audit, err := openAudit(o.audit)
	if err != nil {
		return nil, err
	}
	m := &measure{
		cluster:  &cluster{api: server, prefix: fmt.Sprintf("measure-%d", os.Getpid())},
		options:  o,
		workshop: o.workshop,
		admin:    admin,
		servers:  map[time.Duration]string{},
		audit:    audit,
		results:  map[subject][]result{},
	}
	if !o.isWhole() {
		if m.noted, err = readFigures(o.results); err != nil {
			return nil, err
		}
	}
	if err := m.open(ctx); err != nil {
		_ = m.leave()
		return nil, err
	}
	return m, nil
}

// open makes what is to be there before the first run.
func (m *measure) open(ctx context.Context) error {
	if err := m.workshop.prepare(ctx); err != nil {
		return err
	}
	if err := m.cluster.prepare(ctx); err != nil {
		return err
	}
	for _, distance := range m.options.distances {
		if err := m.connect(ctx, distance); err != nil {
			return err
		}
	}
	m.versions = map[string]string{}
	for tool, line := range map[string][]string{
		shipway: {m.workshop.shipway, "--version"},
		kubectl: {m.workshop.kubectl, "version", "--client"},
		helm:    {m.workshop.helm, "version"},
	} {
		said, err := m.workshop.version(ctx, line[0], line[1:]...)
		if err != nil {
			return err
		}
		m.versions[tool] = said
	}
	return nil
}

// connect puts a relay before the server where there is a distance. kubectl and helm keep what they know of a server in
// a file; they learn it now, as if they had been used before.
func (m *measure) connect(ctx context.Context, distance time.Duration) error {
	server := m.admin.Clusters[0].Cluster.Server
	if distance > 0 {
		address, err := url.Parse(server)
		if err != nil {
			return err
		}
		relay, err := newRelay("127.0.0.1:0", address.Host, distance/2)
		if err != nil {
			return err
		}
		m.relays = append(m.relays, relay)
		server = "https://" + relay.listener.Addr().String()
	}
	m.servers[distance] = server
	at := place{count: 10, namespace: m.prefix}
	if err := m.workshop.objects(at.count); err != nil {
		return err
	}
	for _, tool := range []string{kubectl, helm} {
		if _, err := m.enter(ctx, &at, distance); err != nil {
			return err
		}
		rehearsal := m.workshop.apply(ctx, tool, at)
		rehearsal.Args = append(rehearsal.Args, "--dry-run=server")
		if _, err := m.workshop.call(ctx, rehearsal); err != nil {
			return err
		}
	}
	return nil
}

func (m *measure) leave() error {
	for _, relay := range m.relays {
		_ = relay.listener.Close()
	}
	return m.cluster.leave()
}

// enter gives a place a login of its own; the answer is how the audit log calls it.
func (m *measure) enter(ctx context.Context, at *place, distance time.Duration) (string, error) {
	token, login, err := m.login(ctx)
	if err != nil {
		return "", err
	}
	at.kubeconfig = m.workshop.path("kubeconfig")
	return login, m.admin.with(m.servers[distance], token).write(at.kubeconfig)
}

// ready is an empty namespace, with the manifests to fill it.
func (m *measure) ready(ctx context.Context, count int, distance time.Duration) (place, error) {
	at := place{count: count}
	if err := m.workshop.objects(count); err != nil {
		return at, err
	}
	namespace, err := m.fresh(ctx)
	if err != nil {
		return at, err
	}
	at.namespace = namespace
	_, err = m.enter(ctx, &at, distance)
	return at, err
}

// deploy lets a tool apply everything, and waits until the cluster is quiet again.
func (m *measure) deploy(ctx context.Context, tool string, at place, distance time.Duration) (result, error) {
	login, err := m.enter(ctx, &at, distance)
	if err != nil {
		return result{}, err
	}
	done, err := m.workshop.call(ctx, m.workshop.apply(ctx, tool, at))
	if err != nil {
		return result{}, err
	}
	took := done.took
	if tool == shipway {
		only, err := waited(done.output)
		if err != nil {
			return result{}, err
		}
		took -= only
	}
	if err := m.settled(ctx, at.namespace); err != nil {
		return result{}, err
	}
	return result{took.Seconds(), done.memory, login}, m.audit.read()
}

func (m *measure) add(of subject, done result) {
	m.results[of] = append(m.results[of], done)
}

// seconds is the median time of a subject.
func (m *measure) seconds(of subject) (float64, bool) {
	var all []float64
	for _, each := range m.results[of] {
		all = append(all, each.seconds)
	}
	return median(all), len(all) > 0
}

// requests is what a subject's runs asked of the server: the median, over all distances.
func (m *measure) requests(count int, tool, phase string) (all, writes float64) {
	var asked, wrote []float64
	for _, distance := range m.options.distances {
		for _, each := range m.results[subject{count, distance, tool, phase}] {
			asked = append(asked, float64(m.audit.counts[each.login].all))
			wrote = append(wrote, float64(m.audit.counts[each.login].writes))
		}
	}
	return median(asked), median(wrote)
}

// sizes are the numbers of objects that were measured, in order.
func (m *measure) sizes() []int {
	var sizes []int
	for of := range m.results {
		if !slices.Contains(sizes, of.count) {
			sizes = append(sizes, of.count)
		}
	}
	slices.Sort(sizes)
	return sizes
}

// median is the middle one; of an even number the lower of the two, so that counts stay counts.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)-1)/2]
}

func roundTrip(distance time.Duration) string {
	return fmt.Sprintf("%d ms", distance.Milliseconds())
}

// counted is "1,000 objects".
func counted(count int) string {
	text := strconv.Itoa(count)
	if len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text + " objects"
}
