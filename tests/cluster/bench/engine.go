package bench

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
)

// engine is Docker's, on a socket of its own, beside any other engine of the machine. It shares
// containerd with the cluster and has a bridge of its own, so that builds have a network; the rules
// of iptables belong to the cluster's proxy alone.
func (b *Bench) engine() component {
	return component{
		name:  "engine",
		where: b.engineSocket(),
		command: []string{"dockerd",
			"--config-file", b.path("configuration", "engine.json"),
			"--host", "unix://" + b.engineSocket(),
			"--data-root", b.path("engine", "data"),
			"--exec-root", b.path("engine", "run"),
			"--pidfile", b.path("engine", "dockerd.pid"),
			"--containerd", b.containerdSocket(),
			"--cgroup-parent", "/" + engineCgroup,
			"--bridge", engineBridge,
			"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
			"--group", "root",
		},
		probe: func(ctx context.Context) error {
			client := &http.Client{Transport: &http.Transport{
				DisableKeepAlives: true,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", b.engineSocket())
				},
			}}
			return expect(ctx, client, "http://engine/_ping", "", "")
		},
	}
}

func (b *Bench) configureEngine() error {
	// No flag keeps the engine from writing a key into /etc.
	text, err := json.Marshal(map[string]string{"deprecated-key-path": b.path("engine", "key.json")})
	if err != nil {
		return err
	}
	return b.write(string(text), 0o644, "configuration", "engine.json")
}
