package bench

import (
	"encoding/base64"
	"fmt"
	"os"
)

const kubeconfigText = `apiVersion: v1
kind: Config
clusters:
- name: shipway-bench
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %s
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: shipway-bench
  context:
    cluster: shipway-bench
    user: %s
current-context: shipway-bench
`

// makeKubeconfigs writes one for people and one for each component that is a client.
func (b *Bench) makeKubeconfigs() error {
	for _, name := range []string{"controller-manager", "scheduler", "kubelet", "proxy"} {
		if err := b.makeKubeconfig(name, "configuration", name+".kubeconfig"); err != nil {
			return err
		}
	}
	return b.makeKubeconfig("admin", "kubeconfig")
}

// makeKubeconfig embeds the certificates, so that the file can be copied anywhere.
func (b *Bench) makeKubeconfig(name string, parts ...string) error {
	var data [3]string
	for i, path := range []string{b.certificate("authority"), b.certificate(name), b.privateKey(name)} {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[i] = base64.StdEncoding.EncodeToString(text)
	}
	text := fmt.Sprintf(kubeconfigText, apiServerURL, data[0], name, data[1], data[2], name)
	return b.write(text, 0o600, parts...)
}

func (b *Bench) componentKubeconfig(name string) string {
	return b.path("configuration", name+".kubeconfig")
}
