package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"posthorn/test/instance"
)

// Where server, sink and mail are; the namespace is all ours.
const (
	host     = "127.0.0.1"
	smtpAddr = host + ":2525"
	sinkAddr = host + ":2526"
	imapAddr = host + ":1143"
	imapsTLS = host + ":1993"
	domain   = "bench.test"
	users    = 100
	mailUID  = 20001
)

// bench is one server and where it keeps its things.
type bench struct {
	server, peer, dir string
	max               int
	meter             meter
	out               io.Writer
}

// row runs one row on a server that is started for it.
func (b *bench) row(name string) error {
	for _, r := range rows() {
		if r.name != name {
			continue
		}
		if err := b.prepare(); err != nil {
			return err
		}
		stop, err := drainSyslog("/dev/log", filepath.Join(b.dir, "syslog"))
		if err != nil {
			return err
		}
		defer stop()
		return r.run(b, r)
	}
	return fmt.Errorf("no such row")
}

// prepare makes an empty folder again, with Maildirs and a certificate.
func (b *bench) prepare() error {
	for _, sub := range []string{"state", "mail"} {
		if err := os.RemoveAll(filepath.Join(b.dir, sub)); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(b.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := instance.WriteCertificate(b.certificate(), "mx."+domain); err != nil {
		return err
	}
	return b.boxes().make()
}

func (b *bench) state() string       { return filepath.Join(b.dir, "state") }
func (b *bench) certificate() string { return filepath.Join(b.dir, "bench.pem") }
func (b *bench) boxes() boxes        { return boxes{root: filepath.Join(b.dir, "mail"), n: users} }

// count returns n, or the limit of the command line where that is less.
func (b *bench) count(n int) int {
	if b.max > 0 {
		return min(n, b.max)
	}
	return n
}

// say prints a result.
func (b *bench) say(row, what string, value float64) {
	fmt.Fprintf(b.out, "%s\t%s\t%s\t%.6g\n", b.peer, row, what, value)
}
