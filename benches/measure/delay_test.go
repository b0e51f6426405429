package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// An echo server behind a relay of 10 ms each way; the client's connection.
func throughRelay(t *testing.T, by time.Duration) net.Conn {
	t.Helper()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		connection, err := echo.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(connection, connection)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	r, err := newRelay("127.0.0.1:0", echo.Addr().String(), by)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		connection.Close()
		r.listener.Close()
		echo.Close()
	})
	return connection
}

func TestAQuestionTakesARoundTrip(t *testing.T) {
	const by = 20 * time.Millisecond
	connection := throughRelay(t, by)
	answer := make([]byte, 4)
	for range 3 {
		began := time.Now()
		if _, err := connection.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(connection, answer); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 2*by {
			t.Errorf("an answer came after %v", took)
		}
	}
}

// What is delayed one by one would take 64 round trips.
func TestOnlyTimeIsAdded(t *testing.T) {
	connection := throughRelay(t, 100*time.Millisecond)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 64<<12)
	began := time.Now()
	go func() {
		_, _ = connection.Write(sent)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d came back, or others", len(got), len(sent))
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("4 MB took %v", took)
	}
}
