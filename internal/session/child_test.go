package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/priv"
	"posthorn/internal/tables"
)

// TestMain lets the test binary be the root starter and an owner's child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		Main("imap-session", func(d *daemon.Daemon) (daemon.Service, error) { return New(d, "imap", touch) })
		return
	}
	os.Exit(m.Run())
}

// touch is a session program whose greeting tells who runs it and whether it
// can write the mailbox, and reach what is outside of it.
func touch(_ context.Context, c *Conn, grant directory.Grant) (Session, error) {
	if c.Tag == "busy" {
		return nil, ErrInUse
	}
	inside := os.WriteFile(filepath.Join(grant.Box.Mail, "touched"), nil, 0o600)
	_, outside := os.ReadFile("/etc/passwd")
	if beside := os.WriteFile(grant.Box.Home+"/.profile", nil, 0o600); grant.Box.Home != grant.Box.Mail && beside == nil {
		outside = nil
	}
	groups, _ := os.Getgroups()
	said := fmt.Sprintf("%d %d %v %d %v %v\r\n", os.Getuid(), os.Getgid(), groups, os.Getpid(), inside == nil, outside == nil)
	return touched{c, said}, nil
}

// touched says something and then waits for the end.
type touched struct {
	c    *Conn
	said string
}

func (s touched) Rest()  {}
func (s touched) Close() {}

func (s touched) Turn(why Event) Pause {
	switch why {
	case Begin:
		io.WriteString(s.c, s.said)
	case Input:
		if _, err := s.c.Read(make([]byte, 100)); err != nil {
			return Pause{}
		}
	case Over:
		return Pause{}
	}
	return Pause{Until: time.Now().Add(limit)}
}

// owners gives each ticket to the mailbox of its name.
type owners map[string]directory.Box

func (o owners) Redeem(_ context.Context, ticket, service string) (directory.Grant, error) {
	box, ok := o[ticket]
	if !ok {
		return directory.Grant{}, errors.New("login took too long, begin again")
	}
	return directory.Grant{User: box.Name, Box: box, Client: netip.MustParseAddr("192.0.2.1")}, nil
}

// openFolder returns a folder that every uid may enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "session")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needDrop skips a test of processes that give rights away where this build
// cannot, as under the race detector.
func needDrop(t *testing.T) {
	t.Helper()
	if err := priv.Able(); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// family runs a server whose sessions are children, and returns it with the
// tickets of two mailboxes.
func family(t *testing.T) *instance {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to change uids: run the tests as root to include it")
	}
	needDrop(t)
	dir := openFolder(t)
	boxes := owners{}
	for name, uid := range map[string]int{"ann": 54321, "bob": 54322, "root": 0, "sys": 999} {
		home := filepath.Join(dir, name)
		boxes[name] = directory.Box{Name: name, UID: uid, GID: uid, Home: home, Mail: filepath.Join(home, "Maildir")}
		if err := errors.Join(os.MkdirAll(boxes[name].Mail, 0o700), os.Chown(home, uid, uid), os.Chown(boxes[name].Mail, uid, uid)); err != nil {
			t.Fatal(err)
		}
	}
	second := boxes["ann"]
	second.Name, second.Mail = "ann2", filepath.Join(second.Home, "second")
	boxes["ann2"] = second
	if err := errors.Join(os.Mkdir(second.Mail, 0o700), os.Chown(second.Mail, second.UID, second.GID)); err != nil {
		t.Fatal(err)
	}
	moved := boxes["ann"]
	moved.Home = filepath.Join(dir, "moved")
	moved.Mail = moved.Home
	boxes["moved"] = moved
	if err := errors.Join(os.Mkdir(moved.Home, 0o700), os.Chown(moved.Home, moved.UID, moved.GID)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "posthorn.conf")
	text := "hostname mx.example.org\ndomain example.org\nsystem-users yes\nprocess-user vmail 54300\nprocess-user imapd 54301\n" +
		"process-group sockets 54300\nprocess-group tls 54300\nlisten imap 127.0.0.1:0\nmail-root " + filepath.Join(dir, "root") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{log: &strings.Builder{}}
	in.Server = newServer("imap", touch, evlog.New(in.log), boxes, []int{0})
	in.apply(c)
	in.folders = tables.Folders{second.UID: {boxes["ann"].Mail, second.Mail}}
	if in.starter, err = startChildren(c, program); err != nil {
		t.Fatal(err)
	}
	in.begin(t)
	return in
}

// greeting hands a connection over and returns what its session says first.
func (in *instance) greeting(t *testing.T, ticket string, more ...attr.Attr) (net.Conn, []string) {
	t.Helper()
	conn, reply := in.handOver(t, append(request("ticket", ticket), more...))
	if reply.Get("verdict") != "done" {
		t.Fatalf("%s: got %v", ticket, reply)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", ticket, err)
	}
	return conn, strings.Fields(line)
}

func TestSystemUsersHaveProcessesOfTheirOwn(t *testing.T) {
	in := family(t)
	reachable := fmt.Sprint(priv.LandlockABI() == 0)
	conn, ann := in.greeting(t, "ann", attr.Attr{Name: "grant-uid", Value: "54322"}, attr.Attr{Name: "grant-mail", Value: "/etc"})
	defer conn.Close()
	if want := []string{"54321", "54321", "[54321]", ann[3], "true", reachable}; !reflect.DeepEqual(ann, want) {
		t.Errorf("ann: got %v, want %v", ann, want)
	}
	_, again := in.greeting(t, "ann")
	if again[3] != ann[3] {
		t.Errorf("second session: got process %s, want the first one's %s", again[3], ann[3])
	}
	_, bob := in.greeting(t, "bob")
	if want := []string{"54322", "54322", "[54322]", bob[3], "true", reachable}; !reflect.DeepEqual(bob, want) {
		t.Errorf("bob: got %v, want %v", bob, want)
	}
	// A mailbox that the table did not know has a child of its own beside the
	// other's; those that it knew share one.
	last, moved := in.greeting(t, "moved")
	if moved[3] == ann[3] || moved[4] != "true" {
		t.Errorf("moved: got %v, want another process that can write there", moved)
	}
	for ticket, pid := range map[string]string{"ann": ann[3], "ann2": ann[3], "moved": moved[3]} {
		if _, got := in.greeting(t, ticket); got[3] != pid || got[4] != "true" {
			t.Errorf("%s again: got %v, want process %s", ticket, got, pid)
		}
	}
	if _, err := io.WriteString(conn, "x"); err != nil {
		t.Errorf("first session: got %v, want it to go on", err)
	}
	in.stop()
	if _, err := last.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the stop: got %v, want the end", err)
	}
}

func TestChildRefusals(t *testing.T) {
	in := family(t)
	for _, tc := range []struct {
		name, reason string
		req          attr.List
	}{
		{"root's mailbox", "", request("ticket", "root")},
		{"a uid below min-uid", "", request("ticket", "sys")},
		{"no ticket", "", request("ticket", "x")},
		{"another client's ticket", "", request("ticket", "ann", "client", "192.0.2.2")},
		{"in use", "in-use", request("ticket", "ann", "tag", "busy")},
	} {
		conn, reply := in.handOver(t, tc.req)
		if reply.Get("verdict") != "later" || reply.Get("reason") != tc.reason {
			t.Errorf("%s: got %v, want later %s", tc.name, reply, tc.reason)
		}
		if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
			t.Errorf("%s: got %q, %v on the connection, want its end", tc.name, rest, err)
		}
	}
	if reply, err := in.client.Do(t.Context(), request("ticket", "ann"), nil); err != nil || reply.Get("verdict") != "later" {
		t.Errorf("no descriptor: got %v, %v, want later", reply, err)
	}
}

// TestStarterIsMissed: without its starter the daemon ends, to be started anew.
func TestStarterIsMissed(t *testing.T) {
	in := family(t)
	in.mayFail = true
	in.starter.Close()
	select {
	case err := <-in.ended:
		if err == nil {
			t.Error("got no error, want one")
		}
	case <-time.After(limit):
		t.Fatal("the server did not end")
	}
}
