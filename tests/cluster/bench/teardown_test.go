package bench

import "testing"

func TestOnlyRulesOfTheBenchAreTakenOut(t *testing.T) {
	const saved = `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-0123 - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -j DOCKER
-A POSTROUTING -s 10.213.0.2/32 -j CNI-0123
COMMIT
`
	const kept = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -j DOCKER
COMMIT
`
	if got := withoutRules(saved); got != kept {
		t.Errorf("kept:\n%s", got)
	}
}

func TestAGreaterLimitOfTheKernelServesAsWell(t *testing.T) {
	limit := setting{name: "fs/inotify/max_user_instances", value: "8192", raise: true}
	if !limit.holds("65536") || limit.holds("128") {
		t.Error("limits are compared wrongly")
	}
	flag := setting{name: "net/ipv4/ip_forward", value: "1"}
	if flag.holds("0") || !flag.holds("1") {
		t.Error("flags are compared wrongly")
	}
}
