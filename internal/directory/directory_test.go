package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// authd serves answers, written as the lines of a list with blanks between
// them, and returns a client and the requests it got.
func authd(t *testing.T, answer func(req attr.List) string) (*Client, <-chan string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.sock")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan string, 100)
	s := &sock.Server{Name: "auth", Proto: Proto, Log: evlog.New(io.Discard),
		Handle: func(_ context.Context, _ sock.Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
			b, err := attr.Append(nil, req)
			if err != nil {
				t.Error(err)
			}
			requests <- strings.Join(strings.Fields(string(b)), " ")
			var l attr.List
			for line := range strings.FieldsSeq(answer(req)) {
				name, value, _ := strings.Cut(line, "=")
				l.Add(name, strings.ReplaceAll(value, "_", " "))
			}
			return l, nil
		}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	c := New(path)
	t.Cleanup(func() { c.Close(); cancel(); <-done })
	return c, requests
}

// always answers every request alike.
func always(answer string) func(attr.List) string { return func(attr.List) string { return answer } }

const done = "verdict=done status=2.0.0 text=ok "

func address(t *testing.T, s string) addr.Address {
	t.Helper()
	a, err := addr.ParseOrNull(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestResolveAll asks for more than one answer holds.
func TestResolveAll(t *testing.T) {
	c, requests := authd(t, func(req attr.List) string {
		all := req.All("address")
		if len(all) == 1 {
			return "verdict=never status=5.1.1 text=nobody"
		}
		answer := done
		for _, a := range all[:2] {
			answer += "address=" + a + " " + done + "local=yes target=box value=" + a + " rcpt=" + a + " "
		}
		return answer
	})
	var all []addr.Address
	for _, s := range []string{"a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"} {
		all = append(all, address(t, s))
	}
	answers, err := c.ResolveAll(t.Context(), all)
	if err != nil || len(answers) != len(all) {
		t.Fatalf("got %d answers, %v, want %d", len(answers), err, len(all))
	}
	for i, a := range answers[:4] {
		if a.Err != nil || a.Targets[0].Value != all[i].String() {
			t.Errorf("got %v, %v for %v", a.Targets, a.Err, all[i])
		}
	}
	if v := verdict.Of(answers[4].Err); v.Status != "5.1.1" {
		t.Errorf("the last one: got %v, want authd's own verdict", v)
	}
	if len(requests) != 3 {
		t.Errorf("got %d requests, want 3", len(requests))
	}
}

func TestResolveAllBadAnswers(t *testing.T) {
	one := "address=a@x.example " + done + "target=box value=a rcpt=a "
	for name, answer := range map[string]string{
		"no group":      done + "local=yes target=box value=a rcpt=a",
		"another":       done + "address=c@x.example " + done + "target=box value=c rcpt=c",
		"too many":      done + one + one + one,
		"for a refusal": "verdict=later status=4.3.0 text=busy",
	} {
		c, _ := authd(t, always(answer))
		answers, err := c.ResolveAll(t.Context(), []addr.Address{address(t, "a@x.example"), address(t, "b@x.example")})
		if err == nil || verdict.Of(err).Kind != verdict.Later {
			t.Errorf("%s: got %v, %v, want later", name, answers, err)
		}
	}
}

func TestResolve(t *testing.T) {
	c, requests := authd(t, always(done+"local=yes target=box value=ann@example.org rcpt=ann+x@example.org origin=aliases:3 "+
		"target=address value=bob@remote.example rcpt=bob@remote.example origin=aliases:4"))
	r, err := c.Resolve(t.Context(), address(t, "info@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	want := "{true [{box ann@example.org ann+x@example.org aliases:3} {address bob@remote.example bob@remote.example aliases:4}]}"
	if got := fmt.Sprint(r); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := <-requests, "proto=posthorn-auth/1 request=resolve address=info@example.org"; got != want {
		t.Errorf("request: got %s, want %s", got, want)
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct{ name, answer, want string }{
		{"never", "verdict=never status=5.1.1 text=no_such_mailbox", "never 5.1.1 no such mailbox"},
		{"later", "verdict=later status=4.3.5 text=broken", "later 4.3.5 broken"},
		{"done without targets", done + "local=yes", "later 4.3.0"},
		{"nonsense", "hello=world", "later 4.3.0"},
	} {
		c, _ := authd(t, always(tc.answer))
		_, err := c.Resolve(t.Context(), address(t, "x@example.org"))
		v := verdict.Of(err)
		if got := fmt.Sprint(v.Kind, " ", v.Status, " ", v.Text); err == nil || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := New(filepath.Join(t.TempDir(), "auth.sock"))
	_, err := c.Login(t.Context(), Credentials{Service: "imap", User: "ann", Password: "x"})
	if v := verdict.Of(err); v.Kind != verdict.Later {
		t.Errorf("got %v, want later", v)
	}
}

func TestBoxes(t *testing.T) {
	c, requests := authd(t, func(req attr.List) string {
		var b strings.Builder
		b.WriteString(done)
		for _, name := range req.All("box") {
			if strings.HasPrefix(name, "gone") {
				fmt.Fprintf(&b, "box=%s verdict=never status=5.1.1 text=gone ", name)
				continue
			}
			fmt.Fprintf(&b, "box=%s verdict=done status=2.0.0 text=ok uid=1001 gid=1002 home=/h/%s mail=/h/%s/Maildir quota=bytes=5 ", name, name, name)
		}
		return b.String()
	})
	names := []string{"ann", "gone"}
	for i := range MaxBoxes {
		names = append(names, fmt.Sprint("b", i))
	}
	boxes, err := c.Boxes(t.Context(), names)
	if err != nil || len(boxes) != len(names) {
		t.Fatalf("got %d boxes, %v, want %d", len(boxes), err, len(names))
	}
	if got, want := fmt.Sprint(boxes[0]), "{ann 1001 1002 /h/ann /h/ann/Maildir bytes=5:messages=0:mailboxes=0 {done 2.0.0 ok}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if boxes[1].Verdict.Kind != verdict.Never || boxes[1].UID > 0 {
		t.Errorf("got %v, want never and no uid", boxes[1])
	}
	if len(requests) != 2 {
		t.Errorf("got %d requests, want 2 of at most %d boxes", len(requests), MaxBoxes)
	}
}

// TestBoxesRefusesOdd: a box of root, of another name, or without a path must
// not come through.
func TestBoxesRefusesOdd(t *testing.T) {
	const good = "verdict=done status=2.0.0 text=ok "
	for name, group := range map[string]string{
		"root":          "box=ann " + good + "uid=0 gid=5 home=/h mail=/h/m",
		"gid root":      "box=ann " + good + "uid=5 gid=0 home=/h mail=/h/m",
		"no uid":        "box=ann " + good + "gid=5 home=/h mail=/h/m",
		"negative":      "box=ann " + good + "uid=-1 gid=5 home=/h mail=/h/m",
		"relative mail": "box=ann " + good + "uid=5 gid=5 home=/h mail=h/m",
		"no home":       "box=ann " + good + "uid=5 gid=5 mail=/h/m",
		"other box":     "box=bob " + good + "uid=5 gid=5 home=/h mail=/h/m",
		"no verdict":    "box=ann uid=5 gid=5 home=/h mail=/h/m",
		"too many":      "box=ann " + good + "uid=5 gid=5 home=/h mail=/h/m box=ann " + good,
		"none":          "",
	} {
		c, _ := authd(t, always(done+group))
		if got, err := c.Boxes(t.Context(), []string{"ann"}); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestLogin(t *testing.T) {
	c, requests := authd(t, always(done+"user=ann@example.org ticket=abc"))
	got, err := c.Login(t.Context(), Credentials{Service: "imap", User: "Ann", Password: "se=cret",
		Client: netip.MustParseAddr("::ffff:192.0.2.1"), TLS: true})
	if err != nil || got != (Login{"ann@example.org", "abc"}) {
		t.Errorf("got %v, %v", got, err)
	}
	want := "proto=posthorn-auth/1 request=login service=imap user=Ann password=se=cret client=192.0.2.1 tls=yes"
	if got := <-requests; got != want {
		t.Errorf("request: got %s, want %s", got, want)
	}
}

// TestLoginIsHeldBack: the answer is there, the caller gets it only when its
// time is over; here the caller loses patience first.
func TestLoginIsHeldBack(t *testing.T) {
	c, requests := authd(t, always("verdict=never status=5.7.8 text=no delay=60000"))
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() {
		_, err := c.Login(ctx, Credentials{Service: "imap", User: "ann", Password: "x"})
		returned <- err
	}()
	<-requests
	// The connection is free again although the answer is held back.
	if err := c.MaySend(t.Context(), "ann", addr.Address{}); verdict.Of(err).Status != "5.7.8" {
		t.Errorf("got %v, want the answer at once", err)
	}
	select {
	case err := <-returned:
		t.Fatalf("got %v before the time was over", err)
	default:
	}
	cancel()
	select {
	case err := <-returned:
		if err == nil {
			t.Error("got no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("still held back after its context ended")
	}
}

func TestMaySend(t *testing.T) {
	c, requests := authd(t, always("verdict=never status=5.7.1 text=not_yours"))
	err := c.MaySend(t.Context(), "ann@example.org", address(t, "bob@example.org"))
	var v *verdict.Error
	if !errors.As(err, &v) || v.Status != "5.7.1" {
		t.Errorf("got %v, want never 5.7.1", err)
	}
	if got, want := <-requests, "proto=posthorn-auth/1 request=maysend user=ann@example.org address=bob@example.org"; got != want {
		t.Errorf("request: got %s, want %s", got, want)
	}
}

func TestRedeem(t *testing.T) {
	c, _ := authd(t, always(done+"user=ann@example.org box=ann@example.org uid=1001 gid=1002 home=/h mail=/h/m client=2001:db8::1 imap-off=A,B=C pop3=fetched=7d groups=staff,sales"))
	g, err := c.Redeem(t.Context(), "abc", "imap")
	if err != nil || g.User != "ann@example.org" || g.Box.UID != 1001 || g.Box.Mail != "/h/m" || g.Client != netip.MustParseAddr("2001:db8::1") || g.IMAPOff != "A,B=C" || g.POP3 != "fetched=7d" || g.Groups != "staff,sales" {
		t.Errorf("got %+v, %v", g, err)
	}
	for name, answer := range map[string]string{
		"used":       "verdict=never status=5.7.8 text=no",
		"root's box": done + "user=ann box=ann uid=0 gid=0 home=/h mail=/h/m",
		"no address": done + "user=ann box=ann uid=5 gid=5 home=/h mail=/h/m client=here",
	} {
		c, _ := authd(t, always(answer))
		if got, err := c.Redeem(t.Context(), "abc", "imap"); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

// FuzzBox: whatever the answer, nobody becomes root by it or leaves his paths to
// chance.
func FuzzBox(f *testing.F) {
	f.Add([]byte("box=ann@test\nverdict=done\nstatus=2.0.0\nuid=1000\ngid=1000\nhome=/home/ann\nmail=/home/ann/Maildir\n\n"))
	f.Add([]byte("box=ann@test\nverdict=never\nstatus=5.1.1\ntext=no such user\n\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		l, err := attr.Parse(answer)
		if err != nil {
			return
		}
		b, err := parseBox(l)
		if err == nil && b.Verdict.Kind == verdict.Done && (b.UID <= 0 || b.GID <= 0 || !filepath.IsAbs(b.Home) || !filepath.IsAbs(b.Mail) || b.Name == "") {
			t.Errorf("got %+v", b)
		}
	})
}
