package dovecot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// testDir opens a fresh folder.
func testDir(t *testing.T) (Dir, string) {
	t.Helper()
	path := t.TempDir()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return Dir{Disk: new(durable.Disk), FD: fd, Path: path}, path
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// load returns what Load gives, one `uid fields name` a record.
func load(t *testing.T, l *Uidlist) (got []string, reset bool) {
	t.Helper()
	err := l.Load(func() { reset = true }, func(r Record) {
		got = append(got, fmt.Sprintf("%d %s %s", r.UID, r.Fields, r.Name))
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, reset
}

func names(records ...string) (recs []Record) {
	for _, name := range records {
		recs = append(recs, Record{Name: []byte(name)})
	}
	return recs
}

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          string
		next          uint32
		damaged       int
	}{
		{"empty", "3 V5 N1 G0123\n", "", 1, 0},
		{"as Dovecot writes", "3 V5 N4\n1 :a,S=25\n2 S25 W29 :b\n3 S1 Pu-7 Ogg X9 :c\n", "1  a,S=25|2 S25 W29 b|3 S1 Pu-7 Ogg X9 c", 4, 0},
		{"lines beyond N", "3 V5 N1\n7 :a\n", "7  a", 8, 0},
		{"N padded", "3 V5 N0000003001\n7 :a\n", "7  a", 3001, 0},
		{"without N", "3 V5\n7 :a\n", "7  a", 8, 0},
		{"torn", "3 V5 N4\n1 :a\n2 :b", "1  a", 4, 0},
		{"not rising", "3 V5 N4\n2 :a\n2 :b\n1 :c\n3 :d\n", "2  a|3  d", 4, 2},
		{"slash", "3 V5 N4\n1 :../x\n2 :b\n", "2  b", 4, 1},
		{"dot", "3 V5 N4\n1 :.\n2 :b\n", "2  b", 4, 1},
		{"no colon", "3 V5 N4\n1 a\n2 :b\n", "2  b", 4, 1},
		{"zero and too high", "3 V5 N4\n0 :a\n4294967295 :b\n99999999999 :c\n", "", 4, 3},
		{"long line", "3 V5 N4\n1 :a\n2 " + strings.Repeat("x", 100000) + " :b\n3 :c\n", "1  a|3  c", 4, 1},
		{"NUL bytes", "3 V5 N4\n1 :a\n\x00\x00\x00\x00\n3 :c\n", "1  a|3  c", 4, 1},
		{"garbled N", "3 V5 N4x\n1 :a\n", "1  a", 2, 1},
		{"garbled version", "\x00 V5 N4\n1 :a\n", "1  a", 2, 1},
		{"cut in the header", "3 V5 N", "", 1, 1},
		{"version 1", "1 5 4\n1 a\n3 b,S=3\n", "1  a|3  b,S=3", 4, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, path := testDir(t)
			put(t, path+"/dovecot-uidlist", tt.content)
			l := NewUidlist(d, 1000)
			defer l.Close()
			got, reset := load(t, l)
			if s := strings.Join(got, "|"); s != tt.want || !reset {
				t.Errorf("got %q reset %v, want %q true", s, reset, tt.want)
			}
			if l.UIDValidity() != 5 || l.Next() != tt.next || l.Damaged() != tt.damaged {
				t.Errorf("got V %d next %d damaged %d, want 5 %d %d", l.UIDValidity(), l.Next(), l.Damaged(), tt.next, tt.damaged)
			}
		})
	}
}

func TestLoadUnreadable(t *testing.T) {
	for _, content := range []string{"", "3", "3 V", "3 V5", "3 N4\n", "3 V0 N4\n", "3 Vx N4\n", "\x00\x00\n", strings.Repeat("3", 9000)} {
		d, path := testDir(t)
		put(t, path+"/dovecot-uidlist", content)
		l := NewUidlist(d, 1000)
		if err := l.Load(func() {}, func(Record) {}); !errors.Is(err, ErrNoList) {
			t.Errorf("%.20q: got %v, want ErrNoList", content, err)
		}
	}
}

func TestLoadReadsOnlyTheTail(t *testing.T) {
	d, path := testDir(t)
	file := path + "/dovecot-uidlist"
	put(t, file, "3 V5 N3\n1 :a\n2 :b\n")
	l := NewUidlist(d, 1000)
	defer l.Close()
	load(t, l)
	if changed, err := l.Changed(); changed || err != nil {
		t.Errorf("got changed %v, %v after Load, want false", changed, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("3 :c\n4 :")
	if changed, _ := l.Changed(); !changed {
		t.Error("got no change after a line was appended")
	}
	if got, reset := load(t, l); strings.Join(got, "|") != "3  c" || reset {
		t.Errorf("got %q reset %v, want only the new line", got, reset)
	}
	f.WriteString("d\n")
	if got, _ := load(t, l); strings.Join(got, "|") != "4  d" {
		t.Errorf("got %q, want the line whose end came later", got)
	}
	put(t, file+".x", "3 V5 N9\n4 :d\n8 :e\n")
	if err := os.Rename(file+".x", file); err != nil {
		t.Fatal(err)
	}
	if got, reset := load(t, l); strings.Join(got, "|") != "4  d|8  e" || !reset || l.Next() != 9 {
		t.Errorf("got %q reset %v next %d, want all anew and 9", got, reset, l.Next())
	}
}

func TestCreateReserveAppend(t *testing.T) {
	d, path := testDir(t)
	file := path + "/dovecot-uidlist"
	l := NewUidlist(d, 1000)
	defer l.Close()
	if err := l.Create(77, 1, nil); err != nil {
		t.Fatal(err)
	}
	recs := names("a", "b")
	recs[1].Fields = []byte("S3 W4")
	if err := errors.Join(l.Reserve(2), l.Append(recs)); err != nil {
		t.Fatal(err)
	}
	guid := strings.Fields(get(t, file))[3]
	want := "3 V77 N0000001001 " + guid + "\n1 :a\n2 S3 W4 :b\n"
	if got := get(t, file); got != want || len(guid) != 33 {
		t.Errorf("got %q, want %q", got, want)
	}
	if changed, _ := l.Changed(); changed || l.Next() != 3 {
		t.Errorf("got changed %v next %d after own append, want false 3", changed, l.Next())
	}
	load(t, l)
	if l.Next() != 3 {
		t.Errorf("got next %d after reading own list again, want 3", l.Next())
	}
	// Who comes later cannot know which UIDs below N were announced.
	other := NewUidlist(d, 1000)
	defer other.Close()
	load(t, other)
	if err := errors.Join(other.Reserve(1), other.Append(names("c"))); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(get(t, file), "\n1001 :c\n") || !strings.Contains(get(t, file), "N0000002001") {
		t.Errorf("got %q, want UID 1001 and N raised in place", get(t, file))
	}
	load(t, l)
	if l.Next() != 2001 {
		t.Errorf("got next %d after a foreign writer, want its N", l.Next())
	}
}

func TestReserveExact(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/dovecot-uidlist", "3 V5 N4 Gabc Qkept\n1 :a\n")
	l := NewUidlist(d, 0)
	defer l.Close()
	load(t, l)
	for _, name := range []string{"b", "c"} {
		if err := errors.Join(l.Reserve(1), l.Append(names(name))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := get(t, path+"/dovecot-uidlist"), "3 V5 N0000000006 Gabc Qkept\n1 :a\n4 :b\n5 :c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReserveRepairs(t *testing.T) {
	d, path := testDir(t)
	broken := "3 V5 N4 Gabc\n1 Z7 :a\ngarbage\n3 :c\n4 :tor"
	put(t, path+"/dovecot-uidlist", broken)
	l := NewUidlist(d, 1000)
	defer l.Close()
	load(t, l)
	if err := errors.Join(l.Reserve(1), l.Append(names("d"))); err != nil {
		t.Fatal(err)
	}
	want := "3 V5 N0000002004 Gabc\n1 Z7 :a\n3 :c\n1004 :d\n"
	if got := get(t, path+"/dovecot-uidlist"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := get(t, path+"/dovecot-uidlist.broken"); got != broken {
		t.Errorf("got %q kept, want the broken list", got)
	}
}

func TestReserveExhausted(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/dovecot-uidlist", "3 V5 N4294967290\n")
	l := NewUidlist(d, 1000)
	defer l.Close()
	load(t, l)
	if err := errors.Join(l.Reserve(4), l.Append(names("a"))); err != nil {
		t.Errorf("got %v for the last UIDs, want nil", err)
	}
	if err := l.Reserve(10); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want ErrExhausted", err)
	}
}

func TestRewriteEdits(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/dovecot-uidlist", "3 V5 N4 Gabc\n1 Z7 :a\n2 :b\n3 :c\n")
	l := NewUidlist(d, 1000)
	defer l.Close()
	load(t, l)
	err := l.Rewrite(func(r *Record) bool {
		if string(r.Name) == "c" {
			r.Name = []byte("c,S=3")
		}
		return string(r.Name) != "b"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "3 V5 N0000000004 Gabc\n1 Z7 :a\n3 :c,S=3\n"
	if got := get(t, path+"/dovecot-uidlist"); got != want || l.Next() != 4 || l.Records() != 2 {
		t.Errorf("got %q next %d records %d, want %q 4 2", got, l.Next(), l.Records(), want)
	}
}

// TestRewriteGarbage: a list is rewritten without garbage for each of its lines.
func TestRewriteGarbage(t *testing.T) {
	list := "3 V5 N1001 Gabc\n"
	for uid := 1; uid <= 1000; uid++ {
		list += fmt.Sprintf("%d :%d.M1P1.host,S=1,W=1\n", uid, 1700000000+uid)
	}
	n := testing.AllocsPerRun(10, func() {
		w := bufio.NewWriter(io.Discard)
		if err := copyRecords(w, strings.NewReader(list), 3, func(r *Record) bool { return r.UID%2 == 0 }); err != nil {
			t.Fatal(err)
		}
	})
	if n > 20 {
		t.Errorf("got %v allocations for 1000 lines, want a few", n)
	}
}

// TestReserveKeepsTheName: whoever renamed a list to its name may have died
// before he synced the folder.
func TestReserveKeepsTheName(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/dovecot-uidlist", "3 V5 N0000000003 Gabc\n1 :a\n2 :b\n")
	var steps []string
	d.Disk.Hook = func(op durable.Op) error {
		steps = append(steps, op.Name)
		return nil
	}
	l := NewUidlist(d, 1)
	defer l.Close()
	load(t, l)
	for range 2 {
		if err := errors.Join(l.Reserve(1), l.Append(names("new"))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(steps, " "), "sync syncdir sync"; got != want {
		t.Errorf("got the steps %s of two raises, want %s", got, want)
	}
	put(t, path+"/other", "3 V5 N0000000009 Gabc\n")
	if err := os.Rename(path+"/other", path+"/dovecot-uidlist"); err != nil {
		t.Fatal(err)
	}
	steps = nil
	load(t, l)
	if err := l.Reserve(1); err != nil || strings.Join(steps, " ") != "sync syncdir" {
		t.Errorf("got %v, the steps %v, want sync and syncdir for another's list", err, steps)
	}
}

// TestReserveFaults fails each step in turn: what is on the disk afterwards is
// a whole list that keeps UIDVALIDITY and lets no announced UID be given again.
func TestReserveFaults(t *testing.T) {
	for _, start := range []string{"", "3 V5 N3\n1 :a\n2 :b\n", "3 V5 N0000000003\n1 :a\n2 :b\n", "3 V5 N3\n1 :a\n2 :b\n3 :to"} {
		for step := 1; ; step++ {
			if !reserveFault(t, start, step) {
				break
			}
		}
	}
}

// reserveFault reports whether the step was reached.
func reserveFault(t *testing.T, start string, step int) (reached bool) {
	t.Helper()
	d, path := testDir(t)
	if start != "" {
		put(t, path+"/dovecot-uidlist", start)
	}
	n := 0
	d.Disk.Hook = func(op durable.Op) error {
		if n++; n == step {
			reached = true
			return unix.EIO
		}
		return nil
	}
	l := NewUidlist(d, 1000)
	defer l.Close()
	err := l.Load(func() {}, func(Record) {})
	if errors.Is(err, ErrNoList) {
		err = l.Create(5, 3, nil)
	}
	recs := names("new")
	if err == nil {
		err = errors.Join(l.Reserve(1))
	}
	if err == nil {
		err = l.Append(recs)
	}
	d.Disk.Hook = nil
	after := NewUidlist(Dir{Disk: new(durable.Disk), FD: d.FD, Path: path}, 1000)
	defer after.Close()
	switch lerr := after.Load(func() {}, func(Record) {}); {
	case errors.Is(lerr, ErrNoList) && start == "" && err != nil:
		return reached // nothing was announced
	case lerr != nil || after.UIDValidity() != 5:
		t.Fatalf("step %d of %q: got %v, V %d afterwards", step, start, lerr, after.UIDValidity())
	}
	if reached && err == nil && start != "" {
		t.Errorf("step %d of %q: the failure was not reported", step, start)
	}
	if err == nil && after.Next() <= recs[0].UID {
		t.Errorf("step %d of %q: UID %d announced, next is %d", step, start, recs[0].UID, after.Next())
	}
	return reached
}

func FuzzUidlist(f *testing.F) {
	f.Add("3 V5 N4 G0123\n1 :a,S=25\n2 S25 W29 :b\n")
	f.Add("\xff V5 N4\n1 :a\n")
	f.Add("3 V5 ")
	f.Add("1 5 4\n1 a\n3 b,S=3\n")
	f.Add("3 V5 N0000000004\n1 :a\n2 :to")
	f.Fuzz(func(t *testing.T, content string) {
		d, path := testDir(t)
		put(t, filepath.Join(path, "dovecot-uidlist"), content)
		l := NewUidlist(d, 1000)
		defer l.Close()
		var before, after []string
		last := uint32(0)
		err := l.Load(func() {}, func(r Record) {
			if r.UID <= last || len(r.Name) == 0 || strings.ContainsAny(string(r.Name), "/\n\x00") {
				t.Errorf("got record %d %q after %d", r.UID, r.Name, last)
			}
			last = r.UID
			before = append(before, fmt.Sprintf("%d %s %s", r.UID, r.Fields, r.Name))
		})
		if err != nil {
			return
		}
		v := l.UIDValidity()
		if err := l.Reserve(1); errors.Is(err, ErrExhausted) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		recs := names("new")
		if err := l.Append(recs); err != nil || recs[0].UID <= last {
			t.Fatalf("got UID %d after %d, %v", recs[0].UID, last, err)
		}
		again := NewUidlist(d, 1000)
		defer again.Close()
		after, _ = load(t, again)
		before = append(before, fmt.Sprintf("%d  new", recs[0].UID))
		if strings.Join(before, "|") != strings.Join(after, "|") || again.UIDValidity() != v {
			t.Errorf("got %q V %d, want %q V %d", after, again.UIDValidity(), before, v)
		}
	})
}
