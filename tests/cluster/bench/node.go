package bench

import (
	"context"
	"fmt"
	"net"
	"strings"
)

const pluginFolder = "/usr/lib/cni"

func (b *Bench) containerd() component {
	return component{
		name:    "containerd",
		where:   b.containerdSocket(),
		command: []string{"containerd", "--config", b.path("configuration", "containerd.toml")},
		probe: func(ctx context.Context) error {
			connection, err := new(net.Dialer).DialContext(ctx, "unix", b.containerdSocket())
			if err != nil {
				return err
			}
			return connection.Close()
		},
	}
}

// Images named localhost:PORT are pulled over plain HTTP without further settings. In a container
// or a small virtual machine root may lack the right to make a process safer from the kernel's
// out-of-memory killer than it is itself; no pod of the bench needs that.
const containerdConfiguration = `version = 2
root = "@STATE@/containerd/root"
state = "@STATE@/containerd/state"
[grpc]
  address = "@STATE@/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "@STATE@/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "@PAUSE@"
  stream_server_address = "127.0.0.1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "@PLUGINS@"
    conf_dir = "@STATE@/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "@STATE@/containerd/runc"
      SystemdCgroup = false
`

const networkConfiguration = `{
  "cniVersion": "0.4.0",
  "name": "shipway-bench",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "@BRIDGE@",
      "isGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "dataDir": "@STATE@/cni-leases",
        "ranges": [[{ "subnet": "@NETWORK@", "gateway": "@ADDRESS@" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
`

func (b *Bench) kubelet() component {
	return component{
		name:  "kubelet",
		where: fmt.Sprintf("%s:%d", nodeAddress, portKubelet),
		ports: []int{portKubelet, portKubeletHealth},
		command: []string{b.executable, "kubelet",
			"--kubeconfig", b.componentKubeconfig("kubelet"),
			"--hostname-override", nodeName,
			"--node-ip", nodeAddress,
			"--root-dir", b.path("kubelet"),
			"--cert-dir", b.path("kubelet", "pki"),
			"--config", b.path("configuration", "kubelet.yaml"),
		},
		probe: func(ctx context.Context) error {
			return answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/healthz", portKubeletHealth))
		},
	}
}

// The machine is shared with compilers and their caches: a full disk or little memory must not
// evict pods in the middle of a story. There is no DNS server at the address given; without one the
// kubelet warns at every pod.
const kubeletConfiguration = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: @ADDRESS@
port: @PORT@
healthzPort: @HEALTH@
readOnlyPort: 0
tlsCertFile: @STATE@/certificates/kubelet-server.crt
tlsPrivateKeyFile: @STATE@/certificates/kubelet-server.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: @STATE@/certificates/authority.crt}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://@STATE@/containerd.sock
cgroupDriver: cgroupfs
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
maxPods: 250
registryPullQPS: 0
serializeImagePulls: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "1Mi", nodefs.available: "1%", nodefs.inodesFree: "1%", imagefs.available: "1%"}
clusterDNS: [@DNS@]
clusterDomain: cluster.local
podLogsDir: @STATE@/pod-logs
volumePluginDir: @STATE@/kubelet/volume-plugins
`

func (b *Bench) proxy() component {
	return component{
		name:  "proxy",
		where: "NodePorts on 127.0.0.1",
		ports: []int{portProxyHealth, portProxyMetrics},
		command: []string{b.executable, "proxy",
			"--kubeconfig", b.componentKubeconfig("proxy"),
			"--hostname-override", nodeName,
			"--proxy-mode", "iptables",
			"--cluster-cidr", podNetwork,
			"--conntrack-max-per-core", "0",
			// A changed endpoint is in the rules at once: stories watch traffic move.
			"--iptables-min-sync-period", "100ms",
			"--healthz-bind-address", fmt.Sprintf("127.0.0.1:%d", portProxyHealth),
			"--metrics-bind-address", fmt.Sprintf("127.0.0.1:%d", portProxyMetrics),
		},
		probe: func(ctx context.Context) error {
			return answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/livez", portProxyHealth))
		},
	}
}

func (b *Bench) configureNode() error {
	fill := strings.NewReplacer(
		"@STATE@", b.state, "@PAUSE@", registryOpen+"/"+pauseImage, "@PLUGINS@", pluginFolder,
		"@BRIDGE@", podBridge, "@NETWORK@", podNetwork, "@ADDRESS@", nodeAddress, "@DNS@", dnsAddress,
		"@PORT@", fmt.Sprint(portKubelet), "@HEALTH@", fmt.Sprint(portKubeletHealth))
	for name, text := range map[string]string{
		"configuration/containerd.toml": containerdConfiguration,
		"configuration/kubelet.yaml":    kubeletConfiguration,
		"cni/10-bridge.conflist":        networkConfiguration,
	} {
		if err := b.write(fill.Replace(text), 0o644, name); err != nil {
			return err
		}
	}
	return nil
}
