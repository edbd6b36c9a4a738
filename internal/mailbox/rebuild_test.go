package mailbox

import (
	"os"
	"strings"
	"testing"
)

// TestRebuild damages everything that Rebuild looks after.
func TestRebuild(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, subject := range []string{"one", "two", "three"} {
		appendText(t, b, "INBOX", subject, Flags{System: Seen, Keywords: []string{"Work"}})
	}
	st, err := b.Status("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	v := sel(t, b, "INBOX", false)
	v.Keep(1, Texts{[]byte("kept"), []byte("kept too")})
	want := list(v)
	v.Close()
	for name, text := range map[string]string{
		"posthorn.index": "PHI1", "posthorn.envelope": "damaged", "posthorn.head": "damaged", "posthorn.search": "damaged", "posthorn.parts": "damaged",
		"posthorn-state": "posthorn-state 1\nmetadata /private/comment mine\n# a remark\nmetadata /priv", "maildirsize": "junk",
	} {
		if err := os.WriteFile(path+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	uidlist, _ := os.OpenFile(path+"/dovecot-uidlist", os.O_WRONLY|os.O_APPEND, 0)
	uidlist.WriteString("no line\n99 :to")
	uidlist.Close()

	other := openBox(t, newStore(t, Options{}), path)
	r, err := other.Rebuild("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if r.Lines != 2 || !r.State || r.Reset || r.Messages != 3 || r.UIDValidity != st.UIDValidity {
		t.Errorf("got %+v, want 2 lines, state mended, 3 messages of %d", r, st.UIDValidity)
	}
	if err := other.Recount(); err != nil {
		t.Error(err)
	}
	state, _ := os.ReadFile(path + "/posthorn-state")
	if got, want := string(state), "posthorn-state 1\n# a remark\nmetadata /private/comment mine\n"; got != want {
		t.Errorf("got state %q, want %q", got, want)
	}
	if _, err := os.Stat(path + "/maildirsize"); err == nil {
		t.Error("maildirsize is still there")
	}
	if r, err = other.Rebuild("INBOX"); err != nil || r.Lines != 0 || r.State {
		t.Errorf("a second time: got %+v, %v, want nothing mended", r, err)
	}
	v = sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if got := list(v); got != strings.ReplaceAll(want, "+", "") {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRebuildBesideASession: who has the folder open goes on, and sees what comes.
func TestRebuildBesideASession(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "one", Flags{})
	v := sel(t, b, "INBOX", false)
	other := openBox(t, newStore(t, Options{}), path)
	if _, err := other.Rebuild("INBOX"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Store([]int{1}, Add, Flags{System: Flagged}); err != nil {
		t.Error(err)
	}
	appendText(t, other, "INBOX", "two", Flags{})
	if c := syncView(t, v, true); c.Exists != 2 {
		t.Errorf("got %+v, want two messages", c)
	}
	want := "1:F 1001:" // the other Store's UIDs
	if got := strings.NewReplacer("+", "", "[", "", "]", "").Replace(list(v)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRebuildWithoutUIDs: a uidlist that nobody can read is replaced.
func TestRebuildWithoutUIDs(t *testing.T) {
	path := t.TempDir()
	deliver(t, path, "1.a.test", "one")
	os.WriteFile(path+"/dovecot-uidlist", []byte("junk\n"), 0o600)
	r, err := openBox(t, newStore(t, Options{}), path).Rebuild("INBOX")
	if err != nil || !r.Reset || r.Messages != 1 {
		t.Errorf("got %+v, %v, want a new uidlist", r, err)
	}
}
