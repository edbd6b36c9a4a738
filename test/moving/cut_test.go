package moving

import (
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// relay passes connections on to addr, and cuts each after so many octets from there:
// the first after few, each one after more.
func relay(t *testing.T, addr string) (at string, cuts *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	cuts = new(atomic.Int64)
	go func() {
		for limit := int64(5000); ; limit = limit * 3 / 2 {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", addr)
			if err != nil {
				here.Close()
				return
			}
			go io.Copy(there, here)
			go func() {
				if n, _ := io.CopyN(here, there, limit); n == limit {
					cuts.Add(1)
				}
				here.Close()
				there.Close()
			}()
		}
	}()
	return l.Addr().String(), cuts
}

// TestDovecotCut has connections end at many places; import makes new ones, and is
// started again where it gives up.
func TestDovecotCut(t *testing.T) {
	d := startDovecot(t, "/", "")
	d.fill(t, []string{"INBOX", "Work", "Sent"}, 60)
	want := theirs(t, d, func(s string) string { return strings.ReplaceAll(s, "/", ".") })
	i := suite.Server(t, instance.Options{})
	direct := d.imaps
	at, cuts := relay(t, direct)
	d.imaps = at
	for try := 1; ; try++ {
		out, err := i.Posthorn(password+"\n", d.words(i)[2:]...)
		if err == nil {
			t.Logf("%d cuts, %d runs, the last: %s", cuts.Load(), try, out)
			break
		}
		if try == 40 {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if cuts.Load() < 5 {
		t.Errorf("got %d cuts, want some", cuts.Load())
	}
	compare(t, "after all", withoutOwn(ours(t, i), want), want)
}

// TestDovecotFull names each message that a mailbox has no room for, or that is too
// large, and brings the others.
func TestDovecotFull(t *testing.T) {
	d := startDovecot(t, "/", "")
	d.fill(t, []string{"INBOX"}, 30) // of which three are removed
	if err := os.WriteFile(d.mail+"/new/1.big.test", []byte("Subject: large\n\n"+strings.Repeat("x", 70000)), 0o644); err != nil {
		t.Fatal(err)
	}
	i := suite.Server(t, instance.Options{Conf: "quota messages=20\nmessage-size 64K\n"})
	out, err := i.Posthorn(password+"\n", d.words(i)[2:]...)
	if err == nil || !strings.Contains(out, "1 folders: brought 20 messages") || strings.Count(out, "mailbox has no room for more\n") != 7 ||
		strings.Count(out, "larger than message-size allows\n") != 1 || !strings.Contains(out, "8 messages were not brought") {
		t.Errorf("got %v\n%s", err, out)
	}
}
