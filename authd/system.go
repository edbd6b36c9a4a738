package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of asking for system users.
const (
	getentAtOnce  = 4
	getentTimeout = 5 * time.Second
	getentOutput  = 64 << 10 // bytes
	systemMax     = 4096     // remembered names
	systemLife    = time.Minute
	strangerLife  = 10 * time.Second // a name that there is not
)

// systemUser is a user of the system who may own mail.
type systemUser struct {
	name     string
	uid, gid int
	home     string
}

// mail is the path of his Maildir.
func (u systemUser) mail() string { return path.Join(u.home, "Maildir") }

// system looks up the system's users by getent(1), which sees whatever
// nsswitch.conf(5) names; the lookups are bounded and remembered.
type system struct {
	program string // path of getent
	minUID  int
	now     func() time.Time
	// getent returns the one line of a database for a name, or "".
	getent func(ctx context.Context, database, name string) (string, error)

	slots chan struct{}
	mu    sync.Mutex
	known *bounded[string, systemAnswer]
}

// systemAnswer is what was found, and until when it is believed.
type systemAnswer struct {
	user  systemUser
	found bool
	until time.Time
}

// newSystem uses the program getent at the path given.
func newSystem(program string, minUID int) *system {
	return &system{program: program, minUID: minUID, now: time.Now, slots: make(chan struct{}, getentAtOnce),
		known: newBounded[string, systemAnswer](systemMax),
		getent: func(ctx context.Context, database, name string) (string, error) {
			return runGetent(ctx, program, database, name)
		}}
}

// forget drops what is remembered.
func (s *system) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.clear()
}

// lookup finds a user by login name. A user who may not own mail is not found;
// an error means that nobody knows.
func (s *system) lookup(ctx context.Context, name string) (systemUser, bool, error) {
	if s == nil || !systemName(name) {
		return systemUser{}, false, nil
	}
	s.mu.Lock()
	a, ok := s.known.get(name)
	s.mu.Unlock()
	if ok && s.now().Before(a.until) {
		return a.user, a.found, nil
	}
	line, err := s.ask(ctx, "passwd", name)
	if err != nil {
		return systemUser{}, false, fmt.Errorf("looking up the system user %s: %w", name, err)
	}
	a = systemAnswer{until: s.now().Add(strangerLife)}
	if line != "" {
		switch a.user, err = parsePasswd(line, name, s.minUID); {
		case err == nil:
			a.found, a.until = true, s.now().Add(systemLife)
		case !errors.Is(err, errNoMail):
			return systemUser{}, false, err // not an answer, and so no reason to return mail
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.put(name, a)
	return a.user, a.found, nil
}

// password returns the user's stored password where authd may read the shadow
// database, else "".
func (s *system) password(ctx context.Context, name string) (string, error) {
	line, err := s.ask(ctx, "shadow", name)
	if err != nil {
		return "", fmt.Errorf("looking up the password of the system user %s: %w", name, err)
	}
	fields := strings.Split(line, ":")
	if len(fields) < 2 || fields[0] != name {
		return "", nil
	}
	return fields[1], nil
}

// ask runs one getent when there is a slot.
func (s *system) ask(ctx context.Context, database, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, getentTimeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.slots }()
	return s.getent(ctx, database, name)
}

// getentNotFound is the exit code for a name that is not in the database.
const getentNotFound = 2

func runGetent(ctx context.Context, program, database, name string) (string, error) {
	cmd := exec.CommandContext(ctx, program, database, "--", name)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout = &limitedWriter{&out, getentOutput}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == getentNotFound:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("getent %s: %w", database, err)
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return line, nil
}

// limitedWriter refuses more than left bytes.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errors.New("answer too long")
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// systemName says whether s can be a login name, and nothing that getent would
// take for an option or a uid.
func systemName(s string) bool {
	if s == "" || len(s) > 32 || s[0] != '_' && (s[0] < 'a' || s[0] > 'z') {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// errNoMail marks users of the system who may not own mail.
var errNoMail = errors.New("may not own mail")

// parsePasswd reads a line of passwd(5) and refuses with errNoMail who may not
// own mail.
func parsePasswd(line, name string, minUID int) (systemUser, error) {
	f := strings.Split(line, ":")
	switch {
	case len(f) != 7:
		return systemUser{}, fmt.Errorf("found %.100q, expected the passwd line of %s", line, name)
	case f[0] != name:
		return systemUser{}, fmt.Errorf("%w: found the line of %.100q, expected that of %s", errNoMail, f[0], name)
	}
	uid, uerr := strconv.ParseUint(f[2], 10, 31)
	gid, gerr := strconv.ParseUint(f[3], 10, 31)
	if err := errors.Join(uerr, gerr); err != nil {
		return systemUser{}, err
	}
	if uid == 0 || gid == 0 || int(uid) < minUID || uid == 65534 || uid == 65535 {
		return systemUser{}, fmt.Errorf("%w: found the uid %d and gid %d, expected a uid of at least %d and no root", errNoMail, uid, gid, minUID)
	}
	home := path.Clean(f[5])
	if !path.IsAbs(home) || home == "/" {
		return systemUser{}, fmt.Errorf("%w: found the home %.100q, expected an absolute path", errNoMail, home)
	}
	return systemUser{name, int(uid), int(gid), home}, nil
}
