package bench

import (
	"context"
	"fmt"
)

func (b *Bench) etcd() component {
	client := fmt.Sprintf("http://127.0.0.1:%d", portEtcd)
	peer := fmt.Sprintf("http://127.0.0.1:%d", portEtcdPeer)
	return component{
		name:  "etcd",
		where: fmt.Sprintf("127.0.0.1:%d", portEtcd),
		ports: []int{portEtcd, portEtcdPeer},
		command: []string{b.executable, "etcd",
			"--data-dir", b.path("etcd"),
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", "default=" + peer,
			// The data does not outlive the bench; waiting for the disk would only slow it down.
			"--unsafe-no-fsync",
		},
		probe: func(ctx context.Context) error { return answers(ctx, client+"/health") },
	}
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

func (b *Bench) apiServer() component {
	return component{
		name:  "apiserver",
		where: fmt.Sprintf("127.0.0.1:%d", portAPIServer),
		ports: []int{portAPIServer},
		command: []string{b.executable, "apiserver",
			"--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", portEtcd),
			"--secure-port", fmt.Sprint(portAPIServer),
			"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
			"--endpoint-reconciler-type", "none",
			"--tls-cert-file", b.certificate("apiserver"), "--tls-private-key-file", b.privateKey("apiserver"),
			"--client-ca-file", b.certificate("authority"),
			"--service-account-key-file", b.privateKey("service-accounts"),
			"--service-account-signing-key-file", b.privateKey("service-accounts"),
			"--service-account-issuer", "https://kubernetes.default.svc",
			"--service-cluster-ip-range", serviceNetwork,
			"--authorization-mode", "Node,RBAC",
			"--allow-privileged",
			"--kubelet-certificate-authority", b.certificate("authority"),
			"--kubelet-client-certificate", b.certificate("apiserver-kubelet"),
			"--kubelet-client-key", b.privateKey("apiserver-kubelet"),
			"--kubelet-preferred-address-types", "InternalIP",
			"--enable-admission-plugins", "NodeRestriction",
			"--audit-policy-file", b.path("configuration", "audit.yaml"),
			"--audit-log-path", b.auditLog(),
			// One file, never rotated away under a story that counts requests.
			"--audit-log-maxsize", "10000",
		},
		probe: func(ctx context.Context) error { return b.ask(ctx, "/readyz", nil) },
	}
}

// The controllers and the scheduler serve nothing: that their processes run is all one can ask.
// With the default limit of 20 requests a second, deleted namespaces would hold up rollouts.

func (b *Bench) controllerManager() component {
	return component{
		name: "controller-manager",
		command: []string{b.executable, "controller-manager",
			"--kubeconfig", b.componentKubeconfig("controller-manager"),
			"--use-service-account-credentials",
			"--service-account-private-key-file", b.privateKey("service-accounts"),
			"--root-ca-file", b.certificate("authority"),
			"--leader-elect=false",
			"--cluster-cidr", podNetwork, "--allocate-node-cidrs=false",
			"--secure-port", "0",
			"--concurrent-deployment-syncs", "20", "--concurrent-replicaset-syncs", "20",
			"--kube-api-qps", "500", "--kube-api-burst", "1000",
		},
	}
}

func (b *Bench) scheduler() component {
	return component{
		name: "scheduler",
		command: []string{b.executable, "scheduler",
			"--kubeconfig", b.componentKubeconfig("scheduler"),
			"--leader-elect=false",
			"--secure-port", "0",
			"--kube-api-qps", "500", "--kube-api-burst", "1000",
		},
	}
}

func (b *Bench) configureControlPlane() error {
	return b.write(auditPolicy, 0o644, "configuration", "audit.yaml")
}
