package directory

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/stamp"
)

// version waits until a file cannot change unseen and returns its version.
func version(t *testing.T, path string) string {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if v := stamp.Of(path).String(); v != "" {
			return v
		}
	}
	t.Fatalf("%s never settles", path)
	return ""
}

// TestRemembered asks twice, with something between: the second question goes to
// authd unless the first answer still holds.
func TestRemembered(t *testing.T) {
	dir := t.TempDir() // has no _, which stands for a blank in the answers
	const found = "local=yes target=box value=ann@x.example rcpt=ann@x.example origin=f:1"
	for i, c := range []struct {
		name    string
		verdict string
		basis   func(users, aliases string) string
		between func(t *testing.T, c *Client, users, aliases string)
		asked   int
	}{
		{"nothing changed", done, nil, nil, 1},
		{"no basis", done, func(string, string) string { return "" }, nil, 2},
		{"a basis that is no path", done, func(users, _ string) string { return " basis=" + version(t, users) + "_users" }, nil, 2},
		{"a version that nobody can know", done, func(users, _ string) string { return " basis=_" + users }, nil, 2},
		{"not done", "verdict=never status=5.1.1 text=no ", nil, nil, 2},
		{"a file changed", done, nil, func(t *testing.T, _ *Client, users, _ string) {
			if err := os.WriteFile(users, []byte("two"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a file replaced", done, nil, func(t *testing.T, _ *Client, users, _ string) {
			if err := os.Rename(users, users+".old"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(users, []byte("one"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a missing file made", done, nil, func(t *testing.T, _ *Client, _, aliases string) {
			if err := os.WriteFile(aliases, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"the configuration changed", done, nil, func(_ *testing.T, c *Client, _, _ string) { c.Forget() }, 2},
		{"too old", done, nil, func(_ *testing.T, c *Client, _, _ string) {
			for q, r := range c.memory.answers {
				r.until = time.Now()
				c.memory.answers[q] = r
			}
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			users, aliases := filepath.Join(dir, fmt.Sprint("users", i)), filepath.Join(dir, fmt.Sprint("aliases", i))
			if err := os.WriteFile(users, []byte("one"), 0o600); err != nil {
				t.Fatal(err)
			}
			basis := fmt.Sprintf(" basis=%s_%s basis=missing_%s", version(t, users), users, aliases)
			if c.basis != nil {
				basis = c.basis(users, aliases)
			}
			client, requests := authd(t, always(c.verdict+found+basis))
			first, ferr := client.Resolve(t.Context(), address(t, "ann@x.example"))
			if c.between != nil {
				c.between(t, client, users, aliases)
			}
			second, serr := client.Resolve(t.Context(), address(t, "ann@x.example"))
			if fmt.Sprint(first, ferr) != fmt.Sprint(second, serr) {
				t.Errorf("got %v, %v the second time, want %v, %v", second, serr, first, ferr)
			}
			if len(requests) != c.asked {
				t.Errorf("authd was asked %d times, want %d", len(requests), c.asked)
			}
		})
	}
}

// TestRememberedApart keeps questions of different kinds and about different
// things apart.
func TestRememberedApart(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	basis := "basis=" + version(t, users) + "_" + users
	c, requests := authd(t, func(req attr.List) string {
		if req.Get("request") == "box" {
			name := req.Get("box")
			return done + basis + " box=" + name + " verdict=done status=2.0.0 text=ok uid=7 gid=7 home=/home/" + name + " mail=/mail/" + name
		}
		a := req.Get("address")
		return done + basis + " local=yes target=box value=" + a + " rcpt=" + a + " origin=f:1"
	})
	for range 2 {
		for _, name := range []string{"a@x.example", "b@x.example"} {
			if r, err := c.Resolve(t.Context(), address(t, name)); err != nil || r.Targets[0].Value != name {
				t.Errorf("resolve %s: got %v, %v", name, r, err)
			}
			if b, err := c.Boxes(t.Context(), []string{name}); err != nil || b[0].Mail != "/mail/"+name {
				t.Errorf("box %s: got %v, %v", name, b, err)
			}
		}
	}
	if len(requests) != 4 {
		t.Errorf("authd was asked %d times, want 4", len(requests))
	}
}

// TestMemoryIsBounded forgets everything rather than grow.
func TestMemoryIsBounded(t *testing.T) {
	var m memory
	answer := attr.List{{Name: "basis", Value: "missing /nowhere"}}
	for i := range 3 * memoryMost / 2 {
		m.note(fmt.Sprint(i), answer, time.Now())
		if len(m.answers) > memoryMost {
			t.Fatalf("got %d answers, want at most %d", len(m.answers), memoryMost)
		}
	}
	if _, ok := m.recall(fmt.Sprint(3*memoryMost/2-1), time.Now()); !ok {
		t.Errorf("the newest answer is forgotten")
	}
}

// TestLongAnswersAreNotRemembered: an outsider cannot have many of them kept.
func TestLongAnswersAreNotRemembered(t *testing.T) {
	answer := attr.List{{Name: "basis", Value: "missing /nowhere"}}
	for len(answer) <= longAnswer {
		answer.Add("target", "box")
	}
	var m memory
	m.note("a", answer, time.Now())
	m.note("b", answer[:longAnswer], time.Now())
	if _, ok := m.answers["a"]; ok || len(m.answers) != 1 {
		t.Errorf("got %d answers, want the short one", len(m.answers))
	}
}
