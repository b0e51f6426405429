package bench

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func TestATakenPortIsNamedWithItsHolder(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	part := component{name: "registry", ports: []int{port}}
	err = checkPorts([]component{part})
	if err == nil {
		t.Fatal("the port counts as free")
	}
	for _, word := range []string{fmt.Sprint(port), "registry", fmt.Sprintf("pid %d", os.Getpid())} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
	listener.Close()
	if err := checkPorts([]component{part}); err != nil {
		t.Errorf("the port is free again, but: %v", err)
	}
}

func TestOnlyListenersHoldAPort(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:3A98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:3A98 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1
   2: 0100007F:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
`
	found := listeners(table, 15000)
	if len(found) != 1 || found[0] != "111" {
		t.Errorf("found %v", found)
	}
}
