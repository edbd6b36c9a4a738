package starter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// lookupTime bounds a question to the user database.
const lookupTime = 10 * time.Second

// account is what the system knows of a uid.
type account struct {
	gid  int
	home string // "" for a uid that the system does not know
}

// check decides whether a child may have id. What the daemon says counts for
// nothing but the question.
func (c Config) check(id Identity) (account, error) {
	switch {
	case id.UID <= 0 || id.GID <= 0 || id.UID >= math.MaxInt32 || id.GID >= math.MaxInt32:
		return account{}, fmt.Errorf("refusing uid %d with gid %d", id.UID, id.GID)
	case id == c.Vmail:
		return account{}, nil
	case id.UID == c.Vmail.UID:
		return account{}, fmt.Errorf("refusing vmail's uid %d with gid %d", id.UID, id.GID)
	case id.UID < c.MinUID:
		return account{}, fmt.Errorf("refusing uid %d below min-uid %d", id.UID, c.MinUID)
	}
	a, known, err := c.lookUp(id.UID)
	switch {
	case err != nil:
		return account{}, err
	case known && a.gid != id.GID:
		return account{}, fmt.Errorf("refusing gid %d with uid %d, whose gid is %d", id.GID, id.UID, a.gid)
	case !known && id.GID < c.MinUID:
		return account{}, fmt.Errorf("refusing gid %d below min-uid %d with uid %d", id.GID, c.MinUID, id.UID)
	}
	return a, nil
}

// noSuchUser is getent's exit code for a key that it does not find.
const noSuchUser = 2

// lookUp asks the system, with all its name services, for a uid.
func (c Config) lookUp(uid int) (a account, known bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Getent, "passwd", strconv.Itoa(uid))
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout = &out
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == noSuchUser {
		return account{}, false, nil
	}
	if err != nil {
		return account{}, false, fmt.Errorf("look up uid %d: %w", uid, err)
	}
	a, err = parseAccount(out.String(), uid)
	return a, err == nil, err
}

// parseAccount reads one line of passwd(5).
func parseAccount(line string, uid int) (account, error) {
	text := strings.TrimSuffix(line, "\n")
	fields := strings.Split(text, ":")
	if len(fields) != 7 || strings.ContainsAny(text, "\n\x00") || fields[2] != strconv.Itoa(uid) {
		return account{}, fmt.Errorf("look up uid %d: found %.100q, expected its line of passwd(5)", uid, line)
	}
	gid, err := strconv.ParseUint(fields[3], 10, 31)
	if err != nil {
		return account{}, fmt.Errorf("look up uid %d: found gid %.20q, expected a number", uid, fields[3])
	}
	return account{gid: int(gid), home: fields[5]}, nil
}

// limited takes what a line of passwd may have and fails beyond.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > 8192 {
		return 0, errors.New("answer too long")
	}
	return l.Buffer.Write(p)
}
