package main

import (
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/courier"
	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/priv"
	"posthorn/internal/screen"
	"posthorn/internal/statefile"
	"posthorn/internal/tables"
	"posthorn/posthorn/internal/survey"
)

// mailboxCommand looks through a Maildir, mends or exports it.
func mailboxCommand(e *env, args []string) error {
	var do func(e *env, path string) error
	switch {
	case len(args) == 2 && args[0] == "check":
		do = checkMailbox
	case len(args) == 2 && args[0] == "stat":
		do = statMailbox
	case len(args) == 2 && args[0] == "rebuild":
		do = rebuildMailbox
	case len(args) == 3 && args[0] == "export" && (args[1] == "--courier" || args[1] == "-courier"):
		do = exportMailbox
	default:
		return usage("expected: mailbox check, stat, rebuild or export --courier, and a user or path")
	}
	path, err := maildirOf(e, args[len(args)-1])
	if err == nil {
		err = becomeOwner(e.conf, path)
	}
	if err == nil {
		err = do(e, path)
	}
	if err != nil {
		return fmt.Errorf("mailbox %s: %w", args[0], err)
	}
	return nil
}

// maildirOf returns the Maildir that a word means: a path has a slash in it.
func maildirOf(e *env, word string) (string, error) {
	if strings.Contains(word, "/") {
		return filepath.Abs(word)
	}
	users, err := tables.LoadUsers(e.conf.UsersFile, e.conf.Domains[0], nil)
	if optional(err) != nil {
		return "", err
	}
	return maildirIn(e, users, word)
}

// maildirIn is maildirOf with a table that was read, nil for none.
func maildirIn(e *env, users *tables.Users, word string) (string, error) {
	if strings.Contains(word, "/") {
		return filepath.Abs(word)
	}
	if u, ok := userOf(e, users, word); ok {
		_, mail := u.Paths(e.conf.MailRoot)
		return mail, nil
	}
	if e.conf.SystemUsers {
		local, _, _ := strings.Cut(strings.ToLower(word), "@")
		if u, err := osuser.Lookup(local); err == nil {
			return filepath.Join(u.HomeDir, "Maildir"), nil
		}
	}
	return "", fmt.Errorf("found %q, expected a user or a path with a slash", word)
}

// userOf returns the line of the table that a word means.
func userOf(e *env, users *tables.Users, word string) (tables.User, bool) {
	if users == nil {
		return tables.User{}, false
	}
	name := strings.ToLower(word)
	if !strings.Contains(name, "@") {
		name += "@" + e.conf.Domains[0]
	}
	return users.Lookup(name)
}

// becomeOwner gives root's rights away for good: what stands in a Maildir is
// its owner's doing.
func becomeOwner(c *conf.Config, path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	if !priv.Root() {
		return nil
	}
	if err := ownsMail(c, path, &st); err != nil {
		return err
	}
	return priv.Drop(int(st.Uid), int(st.Gid), []int{int(st.Gid)})
}

// ownsMail refuses what root does not become the owner of. A link can lead to a
// folder of root's or of another user's; and nobody's mail is root's or, but for
// vmail's, of a uid below min-uid, such as a daemon has.
func ownsMail(c *conf.Config, path string, st *unix.Stat_t) error {
	switch uid := int(st.Uid); {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("found that %s is a symbolic link, expected the Maildir itself: root follows no links to others' mail", path)
	case uid == 0:
		return fmt.Errorf("found that %s belongs to root, expected the owner of its mail", path)
	case uid < c.MinUID && !isVmail(c, uid):
		return fmt.Errorf("found that %s belongs to uid %d, expected vmail's or at least %d (min-uid)", path, uid, c.MinUID)
	}
	return nil
}

// isVmail reports whether a uid is vmail's, if there is a vmail.
func isVmail(c *conf.Config, uid int) bool {
	vmail, err := c.Identity("vmail")
	return err == nil && vmail.UID == uid
}

func checkMailbox(e *env, path string) error {
	s, err := survey.Maildir(path)
	if err != nil {
		return err
	}
	for _, f := range s.Findings {
		fmt.Fprintln(e.stdout, screen.Line(f.String()))
	}
	if n := len(s.Findings); n > 0 {
		return fmt.Errorf("%d findings in %s", n, path)
	}
	return nil
}

func statMailbox(e *env, path string) error {
	s, err := survey.Maildir(path)
	if err != nil {
		return err
	}
	for _, f := range s.Folders {
		fmt.Fprintf(e.stdout, "%s messages=%d unseen=%d bytes=%d keywords=%d uidvalidity=%d uidnext=%d\n",
			screen.Line(f.Name), f.Messages, f.Unseen, f.Bytes, f.Keywords, f.UIDValidity, f.Next)
	}
	return nil
}

// exportMailbox writes Courier's files into each folder that has been opened.
func exportMailbox(e *env, path string) error {
	s, err := survey.Maildir(path)
	if err != nil {
		return err
	}
	locker, err := dovecot.NewLocker()
	if err != nil {
		return err
	}
	var failed []error
	for _, f := range s.Folders {
		err := inFolder(f.Path, func(d dovecot.Dir) error {
			if f.Name == "INBOX" {
				if err := courier.ExportSubscribed(d); err != nil {
					return err
				}
			}
			state := statefile.New(d, locker)
			if _, err := state.Load(); err != nil {
				return err
			}
			return courier.Export(locker, d, state.Words())
		})
		switch {
		case err == nil:
			fmt.Fprintf(e.stdout, "%s: uidvalidity=%d uidnext=%d\n", screen.Line(f.Name), f.UIDValidity, f.Next)
		case errors.Is(err, dovecot.ErrNoList):
			fmt.Fprintf(e.stdout, "%s: never opened, nothing to export\n", screen.Line(f.Name))
		default:
			failed = append(failed, errors.New(screen.Line(f.Path+": "+err.Error())))
		}
	}
	return errors.Join(failed...)
}

// inFolder runs do on the open folder at path.
func inFolder(path string, do func(dovecot.Dir) error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return do(dovecot.Dir{Disk: new(durable.Disk), FD: fd, Path: path})
}
