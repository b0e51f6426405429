package bench

import (
	"fmt"
	"os"
	"path/filepath"
)

// Everything has a fixed place: stories, the demo and people find the bench without asking it.
const (
	defaultStateFolder = "/var/lib/shipway-bench"
	lockFile           = "/run/shipway-bench.lock"

	portEtcd          = 12379
	portEtcdPeer      = 12380
	portAPIServer     = 16443
	portRegistry      = 15000
	portRegistryLogin = 15001
	portKubelet       = 11250
	portKubeletHealth = 11248
	portProxyHealth   = 11256
	portProxyMetrics  = 11249

	nodeName = "node1"

	// The node's own address is the bridge of its pods: no other machine reaches the kubelet,
	// and the bench does not depend on the machine's network.
	podBridge    = "shipway-pods"
	podNetwork   = "10.213.0.0/16"
	nodeAddress  = "10.213.0.1"
	engineBridge = "shipway-engine"
	engineSubnet = "10.214.0.1/16"

	serviceNetwork = "10.212.0.0/16"
	serviceAddress = "10.212.0.1"
	dnsAddress     = "10.212.0.10"

	registryUser = "shipway"
	pauseImage   = "base/pause:1"
	baseImage    = "base/busybox:1"
)

var (
	registryOpen  = fmt.Sprintf("localhost:%d", portRegistry)
	registryLogin = fmt.Sprintf("localhost:%d", portRegistryLogin)
	apiServerURL  = fmt.Sprintf("https://127.0.0.1:%d", portAPIServer)
)

// StateFolder is where the one bench of this machine lives, whichever checkout started it.
func StateFolder() string {
	folder := os.Getenv("SHIPWAY_BENCH_STATE")
	if folder == "" {
		return defaultStateFolder
	}
	// The components run in another folder than the caller.
	if absolute, err := filepath.Abs(folder); err == nil {
		return absolute
	}
	return folder
}

func (b *Bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.state}, parts...)...)
}

func (b *Bench) kubeconfig() string       { return b.path("kubeconfig") }
func (b *Bench) auditLog() string         { return b.path("audit.log") }
func (b *Bench) passwordFile() string     { return b.path("registry-password") }
func (b *Bench) versionFile() string      { return b.path("version") }
func (b *Bench) ownership() string        { return b.path("made-by-script-cluster") }
func (b *Bench) containerdSocket() string { return b.path("containerd.sock") }
func (b *Bench) engineSocket() string     { return b.path("docker.sock") }

func (b *Bench) certificate(name string) string { return b.path("certificates", name+".crt") }
func (b *Bench) privateKey(name string) string  { return b.path("certificates", name+".key") }
func (b *Bench) log(component string) string    { return b.path("logs", component+".log") }

// write puts a file below the state folder and makes the folders above it.
func (b *Bench) write(text string, mode os.FileMode, parts ...string) error {
	path := b.path(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), mode)
}
