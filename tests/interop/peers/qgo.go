// qgo: quic-go as a peer that speaks hq-interop.
//
//	qgo server [-retry] [-v2] ADDR WWW KEY CERT
//	qgo client [-ca FILE] [-v2] [-resume] [-0rtt] ADDR OUT-DIR PATH...
//
// With -resume or -0rtt the client fetches the first path on a first connection, the others on a second.
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

	"github.com/quic-go/quic-go"
)

var (
	retry   = flag.Bool("retry", false, "server: answer each first Initial with Retry")
	v2      = flag.Bool("v2", false, "speak v2; a server v1 as well")
	ca      = flag.String("ca", "", "client: authorities")
	resume  = flag.Bool("resume", false, "client: a second connection resumes the first")
	zeroRTT = flag.Bool("0rtt", false, "client: and its requests are early data")
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: qgo server|client [flags] ADDR ...")
	}
	mode := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	config := &quic.Config{Allow0RTT: true, MaxIdleTimeout: 30 * time.Second, HandshakeIdleTimeout: 30 * time.Second}
	if *v2 {
		config.Versions = []quic.Version{quic.Version2, quic.Version1}
	}
	switch {
	case mode == "server" && flag.NArg() == 4:
		serve(config, flag.Arg(0), flag.Arg(1), flag.Arg(2), flag.Arg(3))
	case mode == "client" && flag.NArg() >= 3:
		fetch(config, flag.Arg(0), flag.Arg(1), flag.Args()[2:])
	default:
		log.Fatal("wrong mode or number of arguments")
	}
}

func serve(config *quic.Config, addr, www, key, cert string) {
	tc := &tls.Config{Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(cert, key))}, NextProtos: []string{"hq-interop"}}
	socket := must(net.ListenUDP("udp", must(net.ResolveUDPAddr("udp", addr))))
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return *retry }}
	listener := must(transport.ListenEarly(tc, config))
	for {
		conn := must(listener.Accept(context.Background()))
		go serveConnection(conn, www)
	}
}

func serveConnection(conn quic.EarlyConnection, www string) {
	go func() {
		<-conn.HandshakeComplete()
		state := conn.ConnectionState()
		log.Printf("connected version=%s resumed=%v 0rtt=%v cipher=%s", state.Version, state.TLS.DidResume, state.Used0RTT, tls.CipherSuiteName(state.TLS.CipherSuite))
	}()
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
				stream.CancelWrite(1)
				return
			}
			file, err := os.Open(filepath.Join(www, filepath.Clean("/"+words[1])))
			if err != nil {
				stream.CancelWrite(2)
				return
			}
			defer file.Close()
			io.Copy(stream, file)
		}()
	}
}

func fetch(config *quic.Config, addr, out string, paths []string) {
	tc := &tls.Config{ServerName: "localhost", NextProtos: []string{"hq-interop"}, ClientSessionCache: tls.NewLRUClientSessionCache(4), RootCAs: x509.NewCertPool()}
	tc.RootCAs.AppendCertsFromPEM(must(os.ReadFile(*ca)))
	if *v2 {
		config.Versions = []quic.Version{quic.Version2}
	}
	if *resume || *zeroRTT {
		fetchAll(config, tc, addr, out, paths[:1], false)
		paths = paths[1:]
	}
	fetchAll(config, tc, addr, out, paths, *zeroRTT)
}

func fetchAll(config *quic.Config, tc *tls.Config, addr, out string, paths []string, early bool) {
	ctx := context.Background()
	conn := must(quic.DialAddrEarly(ctx, addr, tc, config))
	if !early {
		<-conn.HandshakeComplete()
	}
	var all sync.WaitGroup
	for _, name := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			stream := must(conn.OpenStreamSync(ctx))
			fmt.Fprintf(stream, "GET %s\r\n", name)
			stream.Close()
			file := must(os.Create(filepath.Join(out, path.Base(name))))
			must(io.Copy(file, stream))
			file.Close()
		}()
	}
	all.Wait()
	<-conn.HandshakeComplete()
	state := conn.ConnectionState()
	fmt.Printf("connected version=%s resumed=%v 0rtt=%v cipher=%s\n", state.Version, state.TLS.DidResume, state.Used0RTT, tls.CipherSuiteName(state.TLS.CipherSuite))
	time.Sleep(100 * time.Millisecond) // For the session ticket.
	conn.CloseWithError(0, "")
	time.Sleep(20 * time.Millisecond) // For CONNECTION_CLOSE to leave.
}
