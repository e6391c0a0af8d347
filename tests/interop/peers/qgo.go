// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qgo: quic-go as a peer that speaks hq-interop; see hq.go.
//
//	qgo server [-retry] [-v2] ADDR WWW KEY CERT
//	qgo client -ca FILE [-v2] [-resume] [-0rtt] ADDR OUT-DIR PATH...
//
// With -resume or -0rtt the client fetches the first path on a first connection, the others on a second.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"log"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

var (
	v2      = flag.Bool("v2", false, "speak v2 too; a client begins with it")
	resume  = flag.Bool("resume", false, "client: a second connection resumes the first")
	zeroRTT = flag.Bool("0rtt", false, "client: and its requests are early data")
)

func main() { run(serve, fetch) }

func config() *quic.Config {
	config := &quic.Config{Allow0RTT: true, MaxIdleTimeout: time.Minute, HandshakeIdleTimeout: 30 * time.Second}
	if *v2 {
		config.Versions = []quic.Version{quic.Version2, quic.Version1}
	}
	return config
}

func serve(addr, www string, tc *tls.Config) {
	socket := must(net.ListenUDP("udp", must(net.ResolveUDPAddr("udp", addr))))
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return *retry }}
	listener := must(transport.ListenEarly(tc, config()))
	for {
		go serveConnection(must(listener.Accept(context.Background())), www)
	}
}

func tell(conn quic.EarlyConnection) {
	<-conn.HandshakeComplete()
	state := conn.ConnectionState()
	log.Printf("connected version=%s resumed=%v 0rtt=%v cipher=%s", state.Version, state.TLS.DidResume, state.Used0RTT, tls.CipherSuiteName(state.TLS.CipherSuite))
}

func serveConnection(conn quic.EarlyConnection, www string) {
	go tell(conn)
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			log.Printf("closed: %v", err)
			return
		}
		go func() {
			defer stream.Close()
			if answer(stream, www) != nil {
				stream.CancelWrite(1)
			}
		}()
	}
}

func fetch(addr, out string, paths []string, tc *tls.Config) {
	tc.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	if *resume || *zeroRTT {
		fetchAll(tc, addr, out, paths[:1], false)
		paths = paths[1:]
	}
	fetchAll(tc, addr, out, paths, *zeroRTT)
}

func fetchAll(tc *tls.Config, addr, out string, paths []string, early bool) {
	ctx := context.Background()
	conn := must(quic.DialAddrEarly(ctx, addr, tc, config()))
	if !early {
		<-conn.HandshakeComplete()
	}
	var all sync.WaitGroup
	for _, name := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			stream := must(conn.OpenStreamSync(ctx))
			request(stream, name)
			stream.Close()
			save(stream, out, name)
		}()
	}
	all.Wait()
	tell(conn)
	time.Sleep(100 * time.Millisecond) // For the session ticket.
	conn.CloseWithError(0, "")
	time.Sleep(20 * time.Millisecond) // For CONNECTION_CLOSE to leave.
}
