// xnq: golang.org/x/net/quic as a peer that speaks hq-interop.
//
//	xnq server [-retry] ADDR WWW KEY CERT
//	xnq client -ca FILE ADDR OUT-DIR PATH...
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/quic"
)

var (
	retry = flag.Bool("retry", false, "server: answer each first Initial with Retry")
	ca    = flag.String("ca", "", "client: authorities")
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: xnq server|client [flags] ADDR ...")
	}
	mode := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	switch {
	case mode == "server" && flag.NArg() == 4:
		serve(flag.Arg(0), flag.Arg(1), flag.Arg(2), flag.Arg(3))
	case mode == "client" && flag.NArg() >= 3:
		fetch(flag.Arg(0), flag.Arg(1), flag.Args()[2:])
	default:
		log.Fatal("wrong mode or number of arguments")
	}
}

func serve(addr, www, key, cert string) {
	endpoint := must(quic.Listen("udp", addr, &quic.Config{
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			NextProtos:   []string{"hq-interop"},
			Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(cert, key))},
		},
		HandshakeTimeout:         30 * time.Second,
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
			request, _ := io.ReadAll(io.LimitReader(stream, 4096))
			words := strings.Fields(string(request))
			if len(words) != 2 || words[0] != "GET" {
				stream.Reset(1)
				return
			}
			file, err := os.Open(filepath.Join(www, filepath.Clean("/"+words[1])))
			if err != nil {
				stream.Reset(2)
				return
			}
			defer file.Close()
			io.Copy(stream, file)
		}()
	}
}

func fetch(addr, out string, paths []string) {
	tc := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"hq-interop"}, ServerName: "localhost", RootCAs: x509.NewCertPool()}
	tc.RootCAs.AppendCertsFromPEM(must(os.ReadFile(*ca)))
	ctx := context.Background()
	server := must(net.ResolveUDPAddr("udp", addr))
	endpoint := must(quic.Listen("udp", net.JoinHostPort(server.IP.String(), "0"), nil))
	conn := must(endpoint.Dial(ctx, "udp", addr, &quic.Config{TLSConfig: tc, HandshakeTimeout: 30 * time.Second}))
	var all sync.WaitGroup
	for _, name := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			stream := must(conn.NewStream(ctx))
			fmt.Fprintf(stream, "GET %s\r\n", name)
			stream.CloseWrite()
			file := must(os.Create(filepath.Join(out, path.Base(name))))
			must(io.Copy(file, stream))
			file.Close()
			stream.Close()
		}()
	}
	all.Wait()
	conn.Close()
	endpoint.Close(ctx)
}
