package box

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/maildir"
	"posthorn/internal/verdict"
)

func TestPlace(t *testing.T) {
	for _, c := range []struct{ home, mail, root string }{
		{"/var/mail/o/ann", "/var/mail/o/ann/Maildir", "/var/mail"},
		{"/home/ann", "/home/ann/Maildir", "/home/ann"},
		{"/home/ann", "/home/ann", "/home/ann"},
		{"/home/ann", "/home/annie/Maildir", "/home/annie"},
		{"/home/ann", "/var/mailbox/ann", "/var/mailbox"},
		{"", "/srv/ann", "/srv"},
	} {
		want := maildir.Place{Root: c.root, Path: c.mail}
		if got := Place("/var/mail", c.home, c.mail); got != want {
			t.Errorf("home %q, mail %q: got %v, want %v", c.home, c.mail, got, want)
		}
	}
}

func job(n int) Job {
	j := Job{ID: id.New(), Try: 2, Time: time.UnixMicro(1792411200_000001), From: addr.Address{Local: "a b", Domain: "example.net"}, Offset: 7, Size: 9}
	for i := range n {
		home := "/home/" + strings.Repeat("x", i+1)
		j.Boxes = append(j.Boxes, Box{"box" + home, "rcpt" + home, maildir.Place{Root: home, Path: home + "/Maildir"}, conf.Quota{Messages: int64(i)}})
	}
	return j
}

func TestRequestBothWays(t *testing.T) {
	for _, n := range []int{1, 3} {
		want := job(n)
		block, err := attr.Append(nil, want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		l, err := attr.Parse(block)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(l); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestPlacesOutsideTheirRoot(t *testing.T) {
	for _, p := range []maildir.Place{{Root: "", Path: "/a"}, {Root: "/a", Path: "/b"}, {Root: "/a", Path: "/a/../b"}, {Root: "/a", Path: ""}} {
		j := job(1)
		j.Boxes[0].Place = p
		if got, err := Decode(j.Encode()); err == nil {
			t.Errorf("%v: got %+v, want an error", p, got.Boxes)
		}
	}
}

func TestResultsBothWays(t *testing.T) {
	j := job(3)
	in := []Result{
		{File: "1.a.b"},
		{Err: errors.New("no such\nfolder")},
		{Err: verdict.Fail(verdict.Later, "4.2.2", "the mailbox is full", unix.EDQUOT)},
	}
	got := DecodeResults(j.Boxes, EncodeResults(j.Boxes, in))
	for i, want := range []struct{ file, status, cause string }{
		{"1.a.b", "2.0.0", ""}, {"", "4.3.0", "no such folder"}, {"", "4.2.2", "disk quota exceeded"},
	} {
		v := verdict.Of(got[i].Err)
		if got[i].File != want.file || v.Status != want.status || Cause(got[i].Err) != want.cause {
			t.Errorf("box %d: got %+v, %v, %q, want %+v", i, got[i], v, Cause(got[i].Err), want)
		}
	}
}

func TestMissingResultsAreLater(t *testing.T) {
	j := job(2)
	other := job(1)
	other.Boxes[0].Name = "another"
	for name, l := range map[string]attr.List{
		"none": nil, "one": EncodeResults(j.Boxes, []Result{{File: "f"}}), "another's": EncodeResults(other.Boxes, []Result{{File: "f"}}),
		"refused": {{Name: "verdict", Value: "never"}, {Name: "status", Value: "5.5.0"}},
		"broken":  {{Name: "box", Value: j.Boxes[0].Name}, {Name: "verdict", Value: "maybe"}},
	} {
		results := DecodeResults(j.Boxes, l)
		if v := verdict.Of(results[1].Err); v.Kind != verdict.Later {
			t.Errorf("%s: got %v, want later", name, v)
		}
		if v := verdict.Of(results[0].Err); name != "one" && v.Kind != verdict.Later {
			t.Errorf("%s: first box: got %v, want later", name, v)
		}
	}
}

// spoolFile returns a file with text at offset 7, open with flags.
func spoolFile(t *testing.T, text string, flags int) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte("before\n"+text+"behind"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestCheckFile(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	good := spoolFile(t, "mail", os.O_RDONLY)
	for _, c := range []struct {
		name         string
		f            *os.File
		offset, size int64
		ok           bool
	}{
		{"good", good, 7, 4, true},
		{"all of it", good, 0, 17, true},
		{"too long", good, 7, 11, false},
		{"beyond", good, 18, 0, false},
		{"overflow", good, 7, 1<<63 - 1, false},
		{"negative", good, -1, 4, false},
		{"none", nil, 7, 4, false},
		{"writable", spoolFile(t, "mail", os.O_RDWR), 7, 4, false},
		{"write only", spoolFile(t, "mail", os.O_WRONLY), 7, 4, false},
		{"path only", spoolFile(t, "mail", unix.O_PATH), 7, 4, false},
		{"pipe", r, 0, 0, false},
		{"folder", dir, 0, 0, false},
	} {
		if err := CheckFile(c.f, c.offset, c.size); (err == nil) != c.ok {
			t.Errorf("%s: got %v, want ok %v", c.name, err, c.ok)
		}
	}
}

func TestHeaders(t *testing.T) {
	root := t.TempDir()
	d := New(new(durable.Disk), "mx")
	for _, c := range []struct {
		name  string
		from  addr.Address
		rcpts []string
		want  string
	}{
		{"one box", addr.Address{Local: "a", Domain: "example.net"}, []string{"ann+x@example.org"}, "Return-Path: <a@example.net>\nDelivered-To: ann+x@example.org\nmail\n"},
		{"two boxes", addr.Address{Local: "a b", Domain: "example.net"}, []string{"ann@example.org", "bob@example.org"}, "Return-Path: <\"a b\"@example.net>\nmail\n"},
		{"bounce", addr.Address{}, []string{"ann@example.org"}, "Return-Path: <>\nDelivered-To: ann@example.org\nmail\n"},
		{"forged line", addr.Address{}, []string{"ann\nX: y@example.org"}, "Return-Path: <>\nmail\n"},
	} {
		j := Job{ID: id.New(), Try: 1, Time: time.Unix(1, 0), From: c.from, Offset: 7, Size: 6}
		for i, rcpt := range c.rcpts {
			j.Boxes = append(j.Boxes, Box{Name: rcpt, Rcpt: rcpt, Place: maildir.Place{Root: root, Path: filepath.Join(root, c.name, string(rune('a'+i)))}})
		}
		for i, r := range d.Deliver(j, spoolFile(t, "mail\r\n", os.O_RDONLY)) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			got, err := os.ReadFile(filepath.Join(j.Boxes[i].Place.Path, "new", r.File))
			if err != nil || string(got) != c.want {
				t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
			}
		}
	}
}

// TestFullBox: a box without room does not get a message, but keeps one that an
// earlier try has brought, and stands in nobody's way.
func TestFullBox(t *testing.T) {
	root := t.TempDir()
	d := New(new(durable.Disk), "mx")
	j := Job{ID: id.New(), Try: 1, Time: time.Unix(1, 0), Offset: 7, Size: 6}
	for _, name := range []string{"full", "free", "none"} {
		j.Boxes = append(j.Boxes, Box{Name: name, Place: maildir.Place{Root: root, Path: filepath.Join(root, name)}})
	}
	j.Boxes[0].Quota.Messages, j.Boxes[1].Quota.Storage = 1, 1000
	send := func() (got string) {
		for _, r := range d.Deliver(j, spoolFile(t, "mail\r\n", os.O_RDONLY)) {
			got += verdict.Of(r.Err).Status + " "
		}
		return got
	}
	for _, tt := range []struct {
		name, want string
		try        int
		again      bool
	}{
		{"first", "2.0.0 2.0.0 2.0.0 ", 1, false},
		{"the same", "2.0.0 2.0.0 2.0.0 ", 2, true},
		{"another", "4.2.2 2.0.0 2.0.0 ", 1, false},
	} {
		if j.Try = tt.try; !tt.again {
			j.ID = id.New()
		}
		if got := send(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(root, "full", "maildirsize")); string(b) != "1C\n21 1\n" {
		t.Errorf("got %q, %v", b, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{1, 3} {
		block, _ := attr.Append(nil, job(n).Encode())
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		l, err := attr.Parse(block)
		if err != nil {
			return
		}
		j, err := Decode(l)
		if err != nil {
			return
		}
		for _, b := range j.Boxes {
			if !Within(b.Place.Root, b.Place.Path) {
				t.Errorf("took %v", b.Place)
			}
		}
		if again, err := Decode(j.Encode()); err != nil || !reflect.DeepEqual(again, j) {
			t.Errorf("got %+v, %v, want %+v", again, err, j)
		}
	})
}
