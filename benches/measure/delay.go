package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"
)

// Chunks under way in one direction: no less than a window of TCP, so that only time is added.
const chunksUnderWay = 4096

// relay hands on connections, and delays what goes through them by a constant time each way.
type relay struct {
	listener net.Listener
	to       string
	by       time.Duration
}

func delay(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("delay", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	to := flags.String("to", "", "the address that connections are handed on to")
	by := flags.Duration("by", 10*time.Millisecond, "the delay of each direction: half a round trip")
	_ = flags.Parse(arguments)
	r, err := newRelay(*listen, *to, *by)
	if err != nil {
		return err
	}
	fmt.Println(r.listener.Addr())
	<-ctx.Done()
	return r.listener.Close()
}

// newRelay listens and serves until its listener is closed.
func newRelay(listen, to string, by time.Duration) (*relay, error) {
	if to == "" {
		return nil, errors.New("the relay needs to know where to: --to HOST:PORT")
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	r := &relay{listener, to, by}
	go r.serve()
	return r, nil
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.connect(client.(*net.TCPConn))
	}
}

// connect joins the client to the server. Over a real distance TCP's own greeting takes a round trip before the
// first byte can be sent.
func (r *relay) connect(client *net.TCPConn) {
	defer client.Close()
	time.Sleep(2 * r.by)
	dialled, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	server := dialled.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		r.pass(server, client)
		close(done)
	}()
	r.pass(client, server)
	<-done
}

type chunk struct {
	due   time.Time
	bytes []byte
}

// pass hands on what comes in one direction, each chunk so long after it came; the end of the stream too.
func (r *relay) pass(to, from *net.TCPConn) {
	chunks := make(chan chunk, chunksUnderWay)
	go func() {
		defer close(chunks)
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				chunks <- chunk{time.Now().Add(r.by), append([]byte(nil), buffer[:n]...)}
			}
			if err != nil {
				return
			}
		}
	}()
	for next := range chunks {
		time.Sleep(time.Until(next.due))
		if _, err := to.Write(next.bytes); err != nil {
			// the reader ends too, and whatever it still hands over is dropped
			_ = from.CloseRead()
			for range chunks {
			}
			return
		}
	}
	time.Sleep(r.by)
	if err := to.CloseWrite(); err != nil && !errors.Is(err, io.EOF) {
		_ = to.Close()
	}
}
