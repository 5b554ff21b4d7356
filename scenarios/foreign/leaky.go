// A small TCP service of lines, healthy or leaky on purpose: a patient that is neither Rust nor ours, for `leaky-go.yaml` and
// `healthy-go.yaml`. It answers `PING` with `PONG` and `GET key` with the value that it fetches from its store.
//
// Built by the tests: go build -o target/foreign/leaky scenarios/foreign/leaky.go
package main

import (
	"bufio"
	"expvar"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"strings"
	"sync/atomic"
	"time"
)

var (
	listen = flag.String("listen", "127.0.0.1:7000", "where clients connect")
	debug  = flag.String("debug", "127.0.0.1:7001", "where /metrics, /debug/vars and /debug/pprof are")
	store  = flag.String("store", "", "where values are fetched from; without it there are none")
	leak   = flag.String("leak", "none", "what stays behind of each connection: none, goroutine, socket or heap")

	sessions int64
	answered = expvar.NewInt("answered")
	kept     [][]byte
	dropped  []net.Conn
)

func main() {
	flag.Parse()
	expvar.Publish("sessions", expvar.Func(func() any { return atomic.LoadInt64(&sessions) }))
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE sessions gauge\nsessions{side=\"north\"} %d\n", atomic.LoadInt64(&sessions))
	})
	go func() { log.Fatal(http.ListenAndServe(*debug, nil)) }()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", *listen)
	// Connections are taken one after the other: nothing else touches what leaks.
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		atomic.AddInt64(&sessions, 1)
		done := make(chan struct{})
		keep(client, done)
		go serve(client, done)
	}
}

// What a connection needs beside itself: a heartbeat, which ends with it, or ought to.
func keep(client net.Conn, done chan struct{}) {
	switch *leak {
	case "goroutine":
		go heartbeat(client, make(chan struct{}))
	case "socket":
		dropped = append(dropped, client)
		go heartbeat(client, done)
	case "heap":
		kept = append(kept, make([]byte, 64<<10))
		go heartbeat(client, done)
	default:
		go heartbeat(client, done)
	}
}

func heartbeat(client net.Conn, done chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			// A real one would look whether the client still speaks.
			_ = client.RemoteAddr()
		}
	}
}

func serve(client net.Conn, done chan struct{}) {
	defer func() {
		if *leak != "socket" {
			client.Close()
		}
		close(done)
		atomic.AddInt64(&sessions, -1)
	}()
	// A client that says nothing for a while has gone.
	for lines := bufio.NewReader(client); ; {
		_ = client.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := client.Write([]byte(answer(strings.TrimSpace(line)) + "\n")); err != nil {
			return
		}
		answered.Add(1)
	}
}

func answer(line string) string {
	switch {
	case line == "PING":
		return "PONG"
	case strings.HasPrefix(line, "GET ") && *store != "":
		value, err := fetch(strings.TrimPrefix(line, "GET "))
		if err != nil {
			return "BUSY"
		}
		return "VALUE " + value
	default:
		return "WHAT"
	}
}

// Asks the store, over a connection of its own; it speaks RESP.
func fetch(key string) (string, error) {
	conn, err := net.DialTimeout("tcp", *store, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s\r\n", key); err != nil {
		return "", err
	}
	lines := bufio.NewReader(conn)
	if size, err := lines.ReadString('\n'); err != nil || strings.HasPrefix(size, "$-1") {
		return "none", err
	}
	value, err := lines.ReadString('\n')
	return strings.TrimSpace(value), err
}
