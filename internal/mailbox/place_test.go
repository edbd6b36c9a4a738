package mailbox

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
	"posthorn/internal/evlog"
)

// in is an Options.Index for which dir is the user's own.
func in(dir string) func(int) string { return func(int) string { return dir } }

// indexes returns the folders beneath root that have an index in them.
func indexes(t *testing.T, root string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == "posthorn.index" && !e.IsDir() {
			found = append(found, strings.TrimPrefix(filepath.Dir(path), root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// fillIndex files a message in a folder and has its index keep texts of that name.
func fillIndex(t *testing.T, b *Box, folder, name string) {
	t.Helper()
	v := sel(t, b, folder, false)
	appendText(t, b, folder, name, Flags{System: Seen})
	syncView(t, v, true)
	v.Keep(v.Len(), Texts{[]byte(name), []byte(name), []byte(name)})
	v.folder.mu.Lock()
	v.folder.save()
	v.folder.mu.Unlock()
	v.Close()
}

// keptOf returns the text of the folder's first message, as a process that begins now
// finds it in the index; "" for none.
func keptOf(t *testing.T, o Options, path, folder string) string {
	t.Helper()
	v := sel(t, openBox(t, newStore(t, o), path), folder, false)
	defer v.Close()
	v.At(1)
	text, _ := v.Kept(1, Envelope, nil)
	return string(text)
}

// TestIndexesApart: each folder of each box has an index of its own, whatever the
// names, and all lie in the one tree.
func TestIndexesApart(t *testing.T) {
	mail, own := t.TempDir(), t.TempDir()
	o := Options{Index: in(own)}
	var want []string
	for _, box := range []string{"ann", "ann.b", "odd name\nof%2F/..., (deleted)", "posthorn.index/Maildir"} {
		b := openBox(t, newStore(t, o), mail+"/"+box)
		for _, name := range []string{"INBOX", "b", "b.c", "ünï (deleted)", "tmp", "posthorn-undelete"} {
			if name != "INBOX" {
				if err := b.Create(name); err != nil {
					t.Fatalf("%q: %v", name, err)
				}
			}
			fillIndex(t, b, name, box+name)
			disk, _ := diskName(name)
			want = append(want, filepath.Join(mail, box, disk))
			if got := keptOf(t, o, mail+"/"+box, name); got != box+name {
				t.Errorf("%q, %s: got %q", box, name, got)
			}
		}
	}
	slices.Sort(want)
	if got := indexes(t, own); !slices.Equal(got, want) {
		t.Errorf("got indexes of\n%q, want\n%q", got, want)
	}
	if got := indexes(t, mail); got != nil {
		t.Errorf("got indexes in the Maildirs of %q", got)
	}
	st, err := os.Stat(own + mail + "/ann/.b")
	if err != nil || st.Mode() != fs.ModeDir|0o700 {
		t.Errorf("got %v, %v, want mode 0700", st.Mode(), err)
	}
	w := sel(t, openBox(t, newStore(t, o), mail+"/ann"), "b.c", false)
	if w.Len() != 1 || !rests(w) {
		t.Errorf("got %d messages, resting %v, want what the index says", w.Len(), rests(w))
	}
}

// TestIndexFollowsItsFolder through RENAME, and goes with it.
func TestIndexFollowsItsFolder(t *testing.T) {
	mail, own := t.TempDir(), t.TempDir()
	o := Options{Index: in(own)}
	s := newStore(t, o)
	b := openBox(t, s, mail)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(names ...string) {
		t.Helper()
		for i := range names {
			names[i] = mail + "/" + names[i]
		}
		if got := indexes(t, own); !slices.Equal(got, names) {
			t.Errorf("got indexes of %q, want %q", got, names)
		}
	}
	for _, name := range []string{"a", "a.b", "c"} {
		do(b.Create(name))
		fillIndex(t, b, name, name)
	}
	want(".a", ".a.b", ".c")
	old := t.TempDir()
	do(os.CopyFS(old, os.DirFS(own+mail+"/.c")))
	do(os.CopyFS(own+mail+"/.x", os.DirFS(own+mail+"/.c"))) // of a folder that went in another way
	do(b.Rename("a", "x"))
	want(".c", ".x", ".x.b")
	for folder, text := range map[string]string{"x": "a", "x.b": "a.b"} {
		if got := keptOf(t, o, mail, folder); got != text {
			t.Errorf("%s: got %q, want %q", folder, got, text)
		}
	}
	do(b.Delete("c"))
	want(".x", ".x.b")
	if _, err := os.Stat(own + mail + "/.c"); !os.IsNotExist(err) {
		t.Errorf("the folder of an index that is gone: got %v", err)
	}

	// Another folder of that name, with the index of the first one.
	do(b.Create("c"))
	do(os.CopyFS(own+mail+"/.c", os.DirFS(old)))
	appendText(t, b, "c", "other", Flags{})
	if got := keptOf(t, o, mail, "c"); got != "" {
		t.Errorf("a folder made again: got %q of the one before", got)
	}
	s.KeepRemoved(1 << 40)
	do(b.Delete("x"))
	do(b.Delete("c"))
	want(".x.b")
	places, err := b.Kept()
	do(err)
	for _, k := range places {
		attic, err := b.OpenKept(k)
		do(err)
		fillIndex(t, attic, "INBOX", "none of it stays")
		do(attic.Close())
	}
	want(".x.b")
	do(b.ReturnFolder(places[0], "x", "x"))
	if got := list(sel(t, b, "x", true)); got != "1:S" {
		t.Errorf("given back: got %q", got)
	}
	s.KeepRemoved(0)
	do(b.Sweep(time.Now()))
	if got := indexes(t, mail); got != nil {
		t.Errorf("got indexes in the Maildirs of %q", got)
	}
}

// TestIndexOfAnotherFolder: a folder that got its place by hand has another's index
// there, with the same UIDVALIDITY.
func TestIndexOfAnotherFolder(t *testing.T) {
	for name, tt := range map[string]struct {
		next int // UID of the list
		put  string
	}{
		"another folder":     {9001, `mv .a .c && mv .b .a`},
		"the same as it was": {2, `rm -r .a/cur .a/dovecot-uidlist && cp -a .b/cur .b/dovecot-uidlist .a`},
	} {
		t.Run(name, func(t *testing.T) {
			mail, own := t.TempDir(), t.TempDir()
			o := Options{Index: in(own)}
			run := func(script string) {
				t.Helper()
				cmd := exec.Command("sh", "-ec", script)
				cmd.Dir = mail
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", script, err, out)
				}
			}
			b := openBox(t, newStore(t, o), mail)
			if err := b.Create("a"); err != nil {
				t.Fatal(err)
			}
			run(`cp -a .a .b`) // no message yet
			fillIndex(t, b, "a", "first")
			fillIndex(t, b, "a", "second")
			if got := keptOf(t, o, mail, "a"); got != "first" {
				t.Fatalf("got %q", got)
			}
			list, err := os.ReadFile(mail + "/.a/dovecot-uidlist")
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(list), "\n")
			head = regexp.MustCompile(` N\d+ `).ReplaceAllString(head, fmt.Sprintf(" N%d ", tt.next))
			run(fmt.Sprintf(`printf '%%s\n1 :9.other.x\n' '%s' > .b/dovecot-uidlist; printf 'Subject: other\n\nother\n' > .b/cur/9.other.x:2,S`, head))
			run(tt.put)
			if got := keptOf(t, o, mail, "a"); got != "" {
				t.Errorf("got %q of another message", got)
			}
			w := sel(t, openBox(t, newStore(t, o), mail), "a", true)
			if got, want := seen(w), files(t, mail+"/.a"); got != want || w.Len() != 1 {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestIndexUnreachable: without a place for indexes mail is as ever, and the log says
// why, once.
func TestIndexUnreachable(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(own string) error
		hook    func(own string, op durable.Op) error
		err     string
		root    bool
	}{
		"missing":   {hook: refuseMkdir, err: "permission denied"},
		"a file":    {prepare: func(own string) error { return os.WriteFile(own, nil, 0o600) }, err: "not a directory"},
		"full":      {hook: refuseCreate, err: "no space left on device"},
		"another's": {prepare: giveAway, err: "found owner 4711", root: true},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root: a folder of another user")
			}
			mail, own := t.TempDir(), t.TempDir()+"/own"
			if tt.prepare != nil {
				if err := tt.prepare(own + mail); err != nil {
					if err := tt.prepare(own); err != nil {
						t.Fatal(err)
					}
				}
			}
			var log strings.Builder
			o := Options{Index: in(own), Log: evlog.New(&log), Disk: &durable.Disk{Hook: func(op durable.Op) error {
				if tt.hook == nil {
					return nil
				}
				return tt.hook(own, op)
			}}}
			for round := range 2 {
				b := openBox(t, newStore(t, o), mail)
				fillIndex(t, b, "INBOX", "one")
				if _, err := b.Rebuild("INBOX"); err != nil {
					t.Error(err)
				}
				v := sel(t, b, "INBOX", false)
				if got, want := seen(v), files(t, mail); got != want || v.Len() != round+1 {
					t.Errorf("got %q, want %q", got, want)
				}
				v.Close()
			}
			if got := indexes(t, mail); got != nil {
				t.Errorf("got indexes in the Maildirs of %q", got)
			}
			lines := slices.DeleteFunc(strings.Split(log.String(), "\n"), func(l string) bool { return !strings.HasPrefix(l, "folder-unindexed ") })
			if len(lines) != 2 || !strings.HasPrefix(lines[0], "folder-unindexed folder="+mail+" ") || !strings.Contains(lines[0], tt.err) {
				t.Errorf("got log %q, want a line of each store with %q", log.String(), tt.err)
			}
		})
	}
}

// TestIndexIsTriedAgain: a folder that is open does without its index for a while only,
// and the index it gets then has what happened meanwhile.
func TestIndexIsTriedAgain(t *testing.T) {
	for _, apart := range []bool{false, true} {
		mail, own := t.TempDir(), t.TempDir()
		full := true
		o := Options{Disk: &durable.Disk{Hook: func(op durable.Op) error {
			if full {
				return refuseCreate(own, op)
			}
			return nil
		}}}
		place := mail
		if apart {
			o.Index, place = in(own), own+mail
		}
		v := sel(t, openBox(t, newStore(t, o), mail), "INBOX", false)
		appendText(t, v.box, "INBOX", "one", Flags{})
		syncView(t, v, true)
		full = false
		if _, err := v.Store([]int{1}, Add, Flags{System: Flagged}); err != nil {
			t.Fatal(err)
		}
		if syncView(t, v, true); len(indexes(t, place)) != 0 {
			t.Errorf("apart=%v: got %q at once, want it later", apart, indexes(t, place))
		}
		before := seen(v)
		v.folder.mu.Lock()
		v.folder.rest.again = time.Now()
		v.folder.mu.Unlock()
		syncView(t, v, true)
		if got := indexes(t, place); len(got) == 0 {
			t.Errorf("apart=%v: got no index", apart)
		}
		if got := seen(v); got != before || got != files(t, mail) {
			t.Errorf("apart=%v: got %q, was %q, the files say %q", apart, got, before, files(t, mail))
		}
	}
}

func refuseMkdir(own string, op durable.Op) error {
	if op.Name == "mkdir" && strings.HasPrefix(op.Path, own) {
		return unix.EACCES
	}
	return nil
}

func refuseCreate(own string, op durable.Op) error {
	if op.Name == "create" && strings.Contains(op.Path, "posthorn.") {
		return unix.ENOSPC
	}
	return nil
}

func giveAway(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chown(path, 4711, 4711)
}

// TestIndexMovesHouse: the place of the indexes may change at any start. Messages stay
// as they are, and a change made meanwhile is missed by no client that asks for
// changes, even one that was taken back.
func TestIndexMovesHouse(t *testing.T) {
	mail, own := t.TempDir(), t.TempDir()
	there, here := Options{Index: in(own)}, Options{}
	other := Options{Shared: true, Index: in(t.TempDir())}
	for name, way := range map[string][2]Options{
		"away and back":   {there, here},
		"home and back":   {here, there},
		"two other hosts": {{Shared: true, Index: in(own)}, other},
	} {
		t.Run(name, func(t *testing.T) {
			path := mail + "/" + strings.ReplaceAll(name, " ", "")
			visit := func(o Options, do func(v *View)) (ids string, mod uint64) {
				t.Helper()
				s := New(o)
				defer s.Close()
				b := openBox(t, s, path)
				v := sel(t, b, "INBOX", false)
				defer v.Close()
				do(v)
				syncView(t, v, true)
				v.At(1)
				return fmt.Sprint(v.UIDValidity(), " ", seen(v)), v.At(1).ModSeq
			}
			flag := func(op Op) func(v *View) {
				return func(v *View) {
					if _, err := v.Store([]int{1}, op, Flags{System: Flagged}); err != nil {
						t.Fatal(err)
					}
				}
			}
			want, first := visit(way[0], func(v *View) {
				for range 3 {
					appendText(t, v.box, "INBOX", "m", Flags{System: Seen})
				}
				syncView(t, v, true)
			})
			_, set := visit(way[1], flag(Add))
			visit(way[1], flag(Remove))
			got, last := visit(way[0], func(*View) {})
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if last <= set || set <= first {
				t.Errorf("got MODSEQ %d, then %d and %d, want them to rise", first, set, last)
			}
			if _, again := visit(way[0], func(*View) {}); again != last {
				t.Errorf("got MODSEQ %d, want %d: nothing happened", again, last)
			}
		})
	}
}
