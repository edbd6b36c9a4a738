package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSystemRemembers(t *testing.T) {
	s := newSystem("", 1000)
	now := time.Now()
	s.now = func() time.Time { return now }
	lines := map[string]string{"passwd carl": "carl:x:1003:1003::/home/carl/:/bin/sh"}
	var asked *int
	s.getent, asked = fakeGetent(lines)
	look := func(name string, found bool, want int) {
		t.Helper()
		u, ok, err := s.lookup(t.Context(), name)
		if err != nil || ok != found || *asked != want {
			t.Errorf("%s: got %+v, %v, %v after %d questions, want %v after %d", name, u, ok, err, *asked, found, want)
		}
		if ok && (u.uid != 1003 || u.mail() != "/home/carl/Maildir") {
			t.Errorf("%s: got %+v", name, u)
		}
	}
	look("carl", true, 1)
	look("carl", true, 1)
	look("dan", false, 2)
	lines["passwd dan"] = "dan:x:1003:1003::/home/carl:/bin/sh"
	look("dan", false, 2)
	now = now.Add(strangerLife)
	look("dan", true, 3)
	delete(lines, "passwd carl")
	look("carl", true, 3)
	now = now.Add(systemLife)
	look("carl", false, 4)
	lines["passwd carl"] = "fail"
	s.forget()
	for range 2 {
		if _, _, err := s.lookup(t.Context(), "carl"); err == nil {
			t.Error("getent failed: got no error, and a failure must not be remembered")
		}
	}
}

func TestParsePasswd(t *testing.T) {
	for _, line := range []string{
		"", "carl", "carl:x:1000:1000:::", "carl:x:0:1000::/home/carl:", "carl:x:1000:0::/home/carl:", "carl:x:999:1000::/home/carl:",
		"carl:x:65534:65534::/home/carl:", "carl:x:-5:1000::/home/carl:", "carl:x:4294967295:1000::/home/carl:", "carl:x:1000:1000::home:",
		"carl:x:1000:1000::/:", "other:x:1000:1000::/home/carl:", "carl:x:1000:1000::/home/carl:/bin/sh:more",
	} {
		if u, err := parsePasswd(line, "carl", 1000); err == nil {
			t.Errorf("%q: got %+v, want an error", line, u)
		}
	}
}

// TestOddAnswer: a line that cannot be read says nothing of the user, whose mail
// must wait; one of a user without mail, or of another user,
// says that there is nobody.
func TestOddAnswer(t *testing.T) {
	s := newSystem("", 1000)
	s.getent, _ = fakeGetent(map[string]string{
		"passwd short": "short:x:1000", "passwd other": "OTHER:x:1000:1000::/home/other:", "passwd huge": "huge:x:9999999999:1:::",
		"passwd daemon": "daemon:x:1:1::/usr/sbin:", "passwd rootless": "rootless:x:1000:1000::/:",
	})
	for name, want := range map[string]bool{"short": true, "other": false, "huge": true, "daemon": false, "rootless": false, "nobody": false} {
		if u, ok, err := s.lookup(t.Context(), name); ok || (err != nil) != want {
			t.Errorf("%s: got %+v, %v, %v, want an error: %v", name, u, ok, err, want)
		}
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add("carl:x:1000:1000:,,,:/home/carl:/bin/sh")
	f.Fuzz(func(t *testing.T, line string) {
		u, err := parsePasswd(line, "carl", 1000)
		if err == nil && (u.uid < 1000 || u.gid <= 0 || !filepath.IsAbs(u.home) || strings.Contains(u.home, "..") && filepath.Clean(u.home) != u.home) {
			t.Errorf("%q: got %+v", line, u)
		}
	})
}

// TestRunGetent runs the real program.
func TestRunGetent(t *testing.T) {
	program, err := exec.LookPath("getent")
	if err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("no getent here")
	}
	if line, err := runGetent(t.Context(), program, "passwd", "root"); err != nil || !strings.HasPrefix(line, "root:") {
		t.Errorf("root: got %q, %v", line, err)
	}
	if line, err := runGetent(t.Context(), program, "passwd", "posthorn-nobody-has-this"); err != nil || line != "" {
		t.Errorf("unknown: got %q, %v, want nothing", line, err)
	}
	if line, err := runGetent(t.Context(), program, "nonsense", "root"); err == nil {
		t.Errorf("no such database: got %q, want an error", line)
	}
	if line, err := runGetent(t.Context(), "/no/such/getent", "passwd", "root"); err == nil {
		t.Errorf("no program: got %q, want an error", line)
	}
}

// script writes a program that stands for getent.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "getent")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGetentIsBounded(t *testing.T) {
	endless := newSystem(script(t, "while :; do echo carl:x:1000:1000::/home/carl:/bin/sh; done"), 1000)
	if u, ok, err := endless.lookup(t.Context(), "carl"); err == nil {
		t.Errorf("endless answer: got %+v, %v, want an error", u, ok)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hanging := newSystem(script(t, "exec sleep 1000"), 1000)
	inside := make(chan struct{})
	run := hanging.getent
	hanging.getent = func(ctx context.Context, database, name string) (string, error) {
		close(inside)
		return run(ctx, database, name)
	}
	go func() { <-inside; cancel() }()
	if _, _, err := hanging.lookup(ctx, "carl"); err == nil {
		t.Error("hanging program: got no error")
	}
}
