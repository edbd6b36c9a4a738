package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"posthorn/internal/handover"
	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/script"
)

// hello is the start of every conversation here.
func hello(ext ...string) string { return script.Hello("us.example", ext...) }

// mail is a transaction for these recipients with the replies to RCPT.
func mail(end string, rcpts ...string) string {
	var b strings.Builder
	b.WriteString("C: MAIL FROM:<a@x.example>\nS: 250 ok\n")
	accepted := false
	for _, r := range rcpts {
		to, reply, _ := strings.Cut(r, " ")
		accepted = accepted || reply[0] == '2'
		b.WriteString("C: RCPT TO:<" + to + ">\nS: " + reply + "\n")
	}
	if !accepted {
		b.WriteString("C: RSET\nS: 250 ok\n")
		return b.String()
	}
	b.WriteString("C: DATA\nS: 354 go\nM:\n")
	if end != "" {
		b.WriteString("S: " + end + "\n")
	}
	return b.String()
}

func serve(t *testing.T, steps string) *script.Server {
	t.Helper()
	return script.Serve(t, "127.0.0.1:0", tls.Certificate{}, steps)
}

func TestOneHost(t *testing.T) {
	tests := []struct{ name, steps, want string }{
		{"taken", hello() + mail("250 2.0.0 kept", "b@y.example 250 ok", "c@y.example 250 ok") + "C: QUIT\nS: 221 bye",
			"done 2.0.0 250 2.0.0 kept @[127.0.0.1] | done 2.0.0 250 2.0.0 kept @[127.0.0.1] reached"},
		{"in parts", hello() + mail("250 kept", "b@y.example 550 5.1.1 no", "c@y.example 250 ok") + "C: QUIT",
			"never 5.1.1 550 5.1.1 no @[127.0.0.1] | done 2.0.0 250 kept @[127.0.0.1] reached"},
		{"greeted by 4xx", "S: 421 4.3.2 busy",
			"later 4.3.2 421 4.3.2 busy @[127.0.0.1] | later 4.3.2 421 4.3.2 busy @[127.0.0.1]"},
		{"greeted by 5xx", "S: 554 5.7.1 we do not like you\nC: QUIT\nS: 221 bye",
			"later 4.7.1 554 5.7.1 we do not like you @[127.0.0.1] | later 4.7.1 554 5.7.1 we do not like you @[127.0.0.1]"},
		{"EHLO and HELO refused", "S: 220 x\nC: EHLO us.example\nS: 550 no\nC: HELO us.example\nS: 550 no\nC: QUIT",
			"later 4.3.2 550 no @[127.0.0.1] | later 4.3.2 550 no @[127.0.0.1]"},
		{"closed at once", "X",
			"later 4.4.2 lost the connection with [127.0.0.1] @[127.0.0.1] | later 4.4.2 lost the connection with [127.0.0.1] @[127.0.0.1]"},
		{"no SMTP", "S: SSH-2.0-x",
			"later 4.4.2 no SMTP is spoken by [127.0.0.1] @[127.0.0.1] | later 4.4.2 no SMTP is spoken by [127.0.0.1] @[127.0.0.1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := serve(t, tt.steps)
			s, log := testService(t, names{})
			r := request(t, []handover.Host{at("127.0.0.1", host.Addr)}, "b@y.example", "c@y.example")
			if got := told(s.send(t.Context(), r, section(text))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			host.Wait(t)
			if n := strings.Count(log.String(), "sent id="+r.ID); n != 2 {
				t.Errorf("got %d lines of outcome, want 2:\n%s", n, log)
			}
		})
	}
}

// The hosts are tried in their order until one takes part.
func TestNextHost(t *testing.T) {
	last := hello() + mail("250 kept", "b@y.example 250 ok")
	tests := []struct{ name, first string }{
		{"refused connection", ""},
		{"4xx greeting", "S: 450 busy\nC: QUIT"},
		{"5xx greeting", "S: 554 no\nC: QUIT"},
		{"closed at once", "X"},
		{"421 at EHLO", "S: 220 x\nC: EHLO us.example\nS: 421 no\nX"},
		{"421 at MAIL", hello() + "C: MAIL FROM:<a@x.example>\nS: 421 no\nX"},
		{"4xx at RCPT", hello() + mail("", "b@y.example 450 greylisted") + "C: QUIT"},
		{"4xx at the end", hello() + mail("451 disk full", "b@y.example 250 ok") + "C: QUIT"},
		{"closed before the end", hello() + "C: MAIL FROM:<a@x.example>\nX"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := closed(t)
			if tt.first != "" {
				first = serve(t, tt.first).Addr
			}
			second := serve(t, last)
			s, _ := testService(t, names{"mx1.y.example": "127.0.0.1", "mx2.y.example": "127.0.0.1"})
			r := request(t, []handover.Host{at("mx1.y.example", first), at("mx2.y.example", second.Addr)}, "b@y.example")
			want := "done 2.0.0 250 kept @mx2.y.example[127.0.0.1] reached"
			if got := told(s.send(t.Context(), r, section(text))); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			second.Wait(t)
		})
	}
}

// A verdict that is final, or may be, is not put to another host.
func TestNoNextHost(t *testing.T) {
	tests := []struct{ name, first, want string }{
		{"5xx at RCPT", hello() + mail("", "b@y.example 550 no"), "never 5.0.0 550 no @mx1.y.example[127.0.0.1] reached"},
		{"5xx at the end", hello() + mail("554 5.7.1 spam", "b@y.example 250 ok"), "never 5.7.1 554 5.7.1 spam @mx1.y.example[127.0.0.1] reached"},
		{"closed after the end", hello() + mail("", "b@y.example 250 ok") + "X", "later 4.4.2 connection lost (end of message) @mx1.y.example[127.0.0.1] reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := serve(t, tt.first)
			s, _ := testService(t, names{"mx1.y.example": "127.0.0.1", "mx2.y.example": "127.0.0.1"})
			r := request(t, []handover.Host{at("mx1.y.example", first.Addr), at("mx2.y.example", untouched(t))}, "b@y.example")
			if got := told(s.send(t.Context(), r, section(text))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A host that lacks what a message needs says nothing of the others: each is
// asked, and one that is down, or put the message off, may have it.
func TestLackingHosts(t *testing.T) {
	const taken = "C: MAIL FROM:<a@x.example> SMTPUTF8\nS: 250 ok\nC: RCPT TO:<\u00fc@y.example>\n"
	lacks := hello() + "C: QUIT"
	has := hello("SMTPUTF8") + taken
	const never = "never 5.6.7 the address needs SMTPUTF8, which the host does not offer @[127.0.0.1] reached"
	tests := []struct {
		name  string
		hosts []string // "" is down
		want  string
	}{
		{"one", []string{lacks}, never},
		{"all", []string{lacks, lacks, lacks}, never},
		{"the last has it", []string{lacks, lacks, has + "S: 250 ok\nC: DATA\nS: 354 go\nM:\nS: 250 kept\nC: QUIT"}, "done 2.0.0 250 kept @[127.0.0.1] reached"},
		{"the last refuses", []string{lacks, has + "S: 550 no\nC: RSET\nS: 250 ok\nC: QUIT"}, "never 5.0.0 550 no @[127.0.0.1] reached"},
		{"the first is down", []string{"", lacks}, "later 4.4.1 "},
		{"the last is down", []string{lacks, ""}, "later 4.4.1 "},
		{"the first puts off", []string{has + "S: 450 wait\nC: RSET\nS: 250 ok\nC: QUIT", lacks}, "later 4.0.0 450 wait @[127.0.0.1] reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var hosts []handover.Host
			for _, steps := range tt.hosts {
				address := closed(t)
				if steps != "" {
					address = serve(t, steps).Addr
				}
				hosts = append(hosts, at("127.0.0.1", address))
			}
			s, _ := testService(t, names{})
			if got := told(s.send(t.Context(), request(t, hosts, "\u00fc@y.example"), section(text))); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Only those who were put off go to the next host.
func TestPartToNextHost(t *testing.T) {
	first := serve(t, hello()+mail("250 kept one", "b@y.example 250 ok", "c@y.example 450 later", "d@y.example 550 no")+"C: QUIT")
	second := serve(t, hello()+mail("250 kept two", "c@y.example 250 ok")+"C: QUIT")
	s, _ := testService(t, names{})
	r := request(t, []handover.Host{at("127.0.0.1", first.Addr), at("127.0.0.1", second.Addr)}, "b@y.example", "c@y.example", "d@y.example")
	want := "done 2.0.0 250 kept one @[127.0.0.1] | done 2.0.0 250 kept two @[127.0.0.1] | never 5.0.0 550 no @[127.0.0.1] reached"
	if got := told(s.send(t.Context(), r, section(text))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	first.Wait(t)
	second.Wait(t)
}

// Greylisting at every host does not walk through all of them.
func TestTransactionsAreBounded(t *testing.T) {
	steps := hello() + mail("", "b@y.example 450 later")
	s, _ := testService(t, names{})
	r := request(t, []handover.Host{at("127.0.0.1", serve(t, steps).Addr), at("127.0.0.1", serve(t, steps).Addr), at("127.0.0.1", untouched(t))}, "b@y.example")
	want := "later 4.0.0 450 later @[127.0.0.1] reached"
	if got := told(s.send(t.Context(), r, section(text))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Every address of a host is tried.
func TestEveryAddress(t *testing.T) {
	host := script.Serve(t, "127.0.0.3:0", tls.Certificate{}, hello()+mail("250 kept", "b@y.example 250 ok"))
	s, log := testService(t, names{"mx.y.example": "0.0.0.0 127.0.0.2 127.0.0.3"})
	r := request(t, []handover.Host{at("mx.y.example", host.Addr)}, "b@y.example")
	want := "done 2.0.0 250 kept @mx.y.example[127.0.0.3] reached"
	if got := told(s.send(t.Context(), r, section(text))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(log.String(), `host-failed id=`+r.ID+` host=mx.y.example[127.0.0.2] text="cannot connect to mx.y.example[127.0.0.2]: connection refused"`) {
		t.Errorf("log: got\n%s, want a line for 127.0.0.2 and its refusal", log)
	}
}

func TestAddressesAreBounded(t *testing.T) {
	var hosts []handover.Host
	nowhere := closed(t)
	for range 50 {
		hosts = append(hosts, at("127.0.0.1", nowhere))
	}
	s, log := testService(t, names{})
	s.send(t.Context(), request(t, hosts, "b@y.example"), section(text))
	if n := strings.Count(log.String(), "host-failed"); n != maxAddresses {
		t.Errorf("got %d addresses tried, want %d", n, maxAddresses)
	}
}

func TestNoAddress(t *testing.T) {
	tests := []struct{ name, hosts, destination, want string }{
		{"no such host", "no.example", "y.example", "never 5.4.4 no.example has no address @no.example"},
		{"none of the hosts", "no.example nope.example", "y.example", "never 5.4.4 no.example has no address @no.example"},
		{"unspecified address", "zero.example", "y.example", "never 5.4.4 zero.example has no address @zero.example"},
		{"one cannot be looked up", "no.example broken.example", "y.example", "later 4.4.3 the address of broken.example cannot be looked up now @broken.example"},
		{"the other way round", "broken.example no.example", "y.example", "later 4.4.3 the address of broken.example cannot be looked up now @broken.example"},
		{"a smarthost", "smart.example", "smart.example:587", "later 4.4.4 smart.example has no address @smart.example"},
		{"an exchanger of a smarthost", "mx.smart.example", "smart.example:587", "later 4.4.4 mx.smart.example has no address @mx.smart.example"},
		{"the domain itself", "y.example", "y.example", "later 4.4.4 y.example has no address @y.example"},
		{"an odd port", "192.0.2.1:x", "y.example", "later 4.3.5 the port of the host is not a number @192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := testService(t, names{"zero.example": "0.0.0.0 ::"})
			var hosts []handover.Host
			for h := range strings.FieldsSeq(tt.hosts) {
				name, port, ok := strings.Cut(h, ":")
				if !ok {
					port = "25"
				}
				hosts = append(hosts, handover.Host{Name: name, Port: port})
			}
			r := request(t, hosts, "b@y.example")
			r.Destination = tt.destination
			if got := told(s.send(t.Context(), r, section(text))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// More recipients than a host has to take at once go out in several
// transactions over one connection.
func TestManyRecipients(t *testing.T) {
	var rcpts, replies []string
	for i := range 250 {
		rcpts = append(rcpts, fmt.Sprintf("u%d@y.example", i))
		replies = append(replies, rcpts[i]+" 250 ok")
	}
	host := serve(t, hello()+mail("250 one", replies[:100]...)+mail("250 two", replies[100:200]...)+mail("250 three", replies[200:]...)+"C: QUIT")
	s, _ := testService(t, names{})
	got := s.send(t.Context(), request(t, []handover.Host{at("127.0.0.1", host.Addr)}, rcpts...), section(text))
	for i, want := range map[int]string{0: "250 one", 99: "250 one", 100: "250 two", 249: "250 three"} {
		if v := got.Rcpts[i].Verdict; v.Kind != verdict.Done || v.Text != want {
			t.Errorf("recipient %d: got %+v, want done with %s", i, v, want)
		}
	}
	if n := len(host.Wait(t)); n != 3 {
		t.Errorf("got %d messages, want 3", n)
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, _ := testService(t, names{})
	got := s.send(ctx, request(t, []handover.Host{{Name: "127.0.0.1", Port: "9"}, at("127.0.0.1", untouched(t))}, "b@y.example"), section(text))
	if !got.Reached || got.Rcpts[0].Verdict.Kind != verdict.Later {
		t.Errorf("got %s, want later and reached: our stop says nothing of the hosts", told(got))
	}
}

func TestLiteral(t *testing.T) {
	for name, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "[192.0.2.1]": "192.0.2.1", "[IPv6:2001:db8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1", "mx.example": "",
	} {
		ips, ok := literal(name)
		if ok != (want != "") || ok && ips[0] != netip.MustParseAddr(want) {
			t.Errorf("%s: got %v %v, want %q", name, ips, ok, want)
		}
	}
}
