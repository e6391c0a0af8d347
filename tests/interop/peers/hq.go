// SPDX-License-Identifier: MIT OR BSD-3-Clause
// hq-interop as the Go peers speak it, whatever QUIC is beneath.
//
//	PROGRAM server [FLAG...] ADDR WWW KEY CERT
//	PROGRAM client [FLAG...] ADDR OUT-DIR PATH...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"
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

func run(serve func(addr, www string, tc *tls.Config), fetch func(addr, out string, paths []string, tc *tls.Config)) {
	if len(os.Args) < 2 {
		log.Fatal("usage: server|client [flags] ADDR ...")
	}
	mode := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	tc := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"hq-interop"}, ServerName: "localhost"}
	switch {
	case mode == "server" && flag.NArg() == 4:
		tc.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(flag.Arg(3), flag.Arg(2)))}
		serve(flag.Arg(0), flag.Arg(1), tc)
	case mode == "client" && flag.NArg() >= 3:
		tc.RootCAs = x509.NewCertPool()
		tc.RootCAs.AppendCertsFromPEM(must(os.ReadFile(*ca)))
		fetch(flag.Arg(0), flag.Arg(1), flag.Args()[2:], tc)
	default:
		log.Fatal("wrong mode or number of arguments")
	}
}

// answer reads a request and writes the file; the caller closes the stream, or resets it after an error.
func answer(stream io.ReadWriter, www string) error {
	request, err := io.ReadAll(io.LimitReader(stream, 4096))
	if err != nil {
		return err
	}
	words := strings.Fields(string(request))
	if len(words) != 2 || words[0] != "GET" {
		return errors.New("no request")
	}
	file, err := os.Open(filepath.Join(www, filepath.Clean("/"+words[1])))
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(stream, file)
	return err
}

func request(stream io.Writer, name string) { fmt.Fprintf(stream, "GET %s\r\n", name) }

func save(stream io.Reader, out, name string) {
	file := must(os.Create(filepath.Join(out, path.Base(name))))
	must(io.Copy(file, stream))
	file.Close()
}
