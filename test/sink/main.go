// Sink is an SMTP server for tests and the demonstration: it takes every
// message and stores it, and fails in the ways that it is told.
//
// A message becomes two files in the folder: NNNN.env, lines name=value with
// helo, from, rcpt (one each, followed by asked with the parameters of RCPT where
// there were some), body, tls and auth; then NNNN.msg, the message as
// it came, dots taken back, CRLF kept. NNNN.msg appears whole and last. A line
// "message file=NNNN.msg" is written to standard output then, after the line
// "ready addr=127.0.0.1:2525" of the start.
//
// A recipient whose local part begins with three digits from 4 or 5 on, such as
// 450-busy@example.net, is refused with that code. The flags -greeting, -mail,
// -data and -end give a whole reply ("451 4.3.0 try later") for everything at
// that step; -later N refuses the first N recipients with 450; -drop N closes
// the first N connections instead of answering the end of a message. -wait
// delays each of these answers.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	addr, dir, name           string
	greeting, mail, data, end string
	noESMTP, no8Bit, noPipe   bool
	dsn, utf8                 bool
	starttls, implicit        bool
	ca, login                 string
	later, drop               int
	record                    string
	wait                      time.Duration
	size                      int64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("sink", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:0", "`address:port` to listen on")
	f.StringVar(&o.dir, "dir", ".", "`folder` for the messages")
	f.StringVar(&o.name, "name", "sink.example", "`name` in greeting and EHLO")
	f.StringVar(&o.greeting, "greeting", "", "whole `reply` instead of 220; the connection is closed then")
	f.StringVar(&o.mail, "mail", "", "whole `reply` to MAIL")
	f.StringVar(&o.data, "data", "", "whole `reply` to DATA")
	f.StringVar(&o.end, "end", "", "whole `reply` to the end of a message")
	f.BoolVar(&o.noESMTP, "no-esmtp", false, "refuse EHLO")
	f.BoolVar(&o.no8Bit, "no-8bitmime", false, "do not offer 8BITMIME")
	f.BoolVar(&o.noPipe, "no-pipelining", false, "do not offer PIPELINING")
	f.BoolVar(&o.dsn, "dsn", false, "offer DSN; without it its parameters are refused")
	f.BoolVar(&o.utf8, "smtputf8", false, "offer SMTPUTF8; without its parameter addresses that are not ASCII are refused")
	f.BoolVar(&o.starttls, "starttls", false, "offer STARTTLS with a self-signed certificate for -name")
	f.BoolVar(&o.implicit, "tls", false, "begin with TLS")
	f.StringVar(&o.ca, "ca", "", "`file` to write that certificate to")
	f.StringVar(&o.login, "login", "", "`user:password` without which MAIL is refused")
	f.IntVar(&o.later, "later", 0, "`number` of recipients to refuse with 450 first")
	f.IntVar(&o.drop, "drop", 0, "`number` of connections to close at the end of the message")
	f.StringVar(&o.record, "record", "", "append to `file` a note of each message before its answer, as records of steps have them")
	f.DurationVar(&o.wait, "wait", 0, "`time` to wait before the answer to the end of a message")
	f.Int64Var(&o.size, "size", 0, "limit to offer as SIZE, in `bytes`")
	return o, f.Parse(args)
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	s := &sink{options: o, out: out}
	if o.starttls || o.implicit {
		if s.tls, err = certificate(o.name, o.ca); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	s.say("ready addr=" + l.Addr().String())
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go s.serve(ctx, nc)
	}
}

// sink is the server.
type sink struct {
	options
	tls *tls.Config

	mu     sync.Mutex
	out    io.Writer
	stored int
	busy   int // recipients refused by -later
	broken int // connections closed by -drop
}

func (s *sink) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out, line)
}

// note has a record say that the message was taken.
func (s *sink) note(name string) error {
	if s.record == "" {
		return nil
	}
	f, err := os.OpenFile(s.record, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "{\"Who\":\"sink\",\"Do\":\"note\",\"Path\":%q}\n", name)
	return errors.Join(err, f.Close())
}

// count adds one to *n unless it has reached limit.
func (s *sink) count(n *int, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *n >= limit {
		return false
	}
	*n++
	return true
}
