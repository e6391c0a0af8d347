// SPDX-License-Identifier: MIT OR BSD-3-Clause
// xnq: golang.org/x/net/quic as a peer that speaks hq-interop; see hq.go.
//
//	xnq server [-retry] ADDR WWW KEY CERT
//	xnq client -ca FILE ADDR OUT-DIR PATH...
package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"sync"
	"time"

	"golang.org/x/net/quic"
)

func main() { run(serve, fetch) }

func serve(addr, www string, tc *tls.Config) {
	endpoint := must(quic.Listen("udp", addr, &quic.Config{
		TLSConfig:                tc,
		HandshakeTimeout:         time.Minute,
		MaxIdleTimeout:           time.Minute,
		RequireAddressValidation: *retry,
	}))
	for {
		conn, err := endpoint.Accept(context.Background())
		if err != nil {
			log.Print(err)
			continue
		}
		go serveConnection(conn, www)
	}
}

func serveConnection(conn *quic.Conn, www string) {
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			log.Printf("closed: %v", err)
			return
		}
		go func() {
			defer stream.Close()
			if answer(stream, www) != nil {
				stream.Reset(1)
			}
		}()
	}
}

func fetch(addr, out string, paths []string, tc *tls.Config) {
	ctx := context.Background()
	server := must(net.ResolveUDPAddr("udp", addr))
	endpoint := must(quic.Listen("udp", net.JoinHostPort(server.IP.String(), "0"), nil))
	conn := must(endpoint.Dial(ctx, "udp", addr, &quic.Config{TLSConfig: tc, HandshakeTimeout: time.Minute, MaxIdleTimeout: time.Minute}))
	var all sync.WaitGroup
	for _, name := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			stream := must(conn.NewStream(ctx))
			request(stream, name)
			stream.CloseWrite()
			save(stream, out, name)
			stream.Close()
		}()
	}
	all.Wait()
	conn.Close()
	endpoint.Close(ctx)
}
