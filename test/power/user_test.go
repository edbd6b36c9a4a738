package power

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// user is an IMAP client that notes each command before it is sent and when
// it was answered.
type user struct {
	t      *testing.T
	w      *wire
	name   string
	record string
	folder string // selected
	shown  *shown
	breaks bool // its session may end
}

// ann returns a client of hers.
func ann(t *testing.T, i *instance.Instance, name, record string) *user {
	t.Helper()
	var w *wire
	suite.Eventually(t, "she may log in", func() bool { // a daemon that died is started again
		var err error
		w, err = login(i.Addr["imap"], suite.Ann)
		return err == nil
	})
	t.Cleanup(func() { w.conn.Close() })
	return &user{t: t, w: w, name: name, record: record}
}

// does notes f, has run send it, and notes it with what run made of it. It
// reports whether it was answered OK.
func (u *user) does(f fact, run func(f *fact) error) bool {
	u.t.Helper()
	f.Client, f.Began = u.name, true
	f.note(u.t, u.record)
	if err := run(&f); err != nil {
		if !u.breaks {
			u.t.Errorf("%v: %v", f, err)
		}
		return false
	}
	f.Began = false
	f.note(u.t, u.record)
	return true
}

// simple is does of a command without more to its answer.
func (u *user) simple(f fact, format string, args ...any) {
	u.t.Helper()
	u.does(f, func(*fact) error { _, err := u.w.do(format, args...); return err })
}

// open selects a folder and notes what it sees.
func (u *user) open(folder string) {
	u.t.Helper()
	u.does(fact{Do: "view", Folder: folder}, func(f *fact) (err error) {
		if u.shown, err = u.w.open(folder); err != nil {
			return err
		}
		u.folder = folder
		f.Validity, f.Next, f.Messages = u.shown.validity, u.shown.next, u.shown.messages
		return nil
	})
}

// look reads the selected folder again.
func (u *user) look() {
	u.t.Helper()
	u.does(fact{Do: "view", Folder: u.folder}, func(f *fact) error {
		if err := u.w.fetch(u.shown); err != nil {
			return err
		}
		f.Validity, f.Messages = u.shown.validity, u.shown.messages
		return nil
	})
}

// await looks until a message is there.
func (u *user) await(token string) {
	u.t.Helper()
	suite.Eventually(u.t, token+" is seen", func() bool {
		u.look()
		return slices.ContainsFunc(u.shown.messages, func(m filed) bool { return m.Token == token })
	})
}

// file appends messages without or with flags.
func (u *user) file(folder, flags string, tokens ...string) {
	u.t.Helper()
	for _, token := range tokens {
		f := fact{Do: "append", Folder: folder, Messages: []filed{{Token: token, Flags: sorted(flags)}}}
		u.does(f, func(f *fact) (err error) {
			f.Validity, f.Messages[0].UID, err = u.w.file(folder, token, flags)
			return err
		})
	}
}

// find returns messages of the selected folder and their UIDs as a set.
func (u *user) find(tokens []string) (all []filed, set string) {
	u.t.Helper()
	for _, m := range u.shown.messages {
		if slices.Contains(tokens, m.Token) {
			all = append(all, m)
			set += fmt.Sprintf(",%d", m.UID)
		}
	}
	if len(all) != len(tokens) {
		u.t.Errorf("got %v, want all of %v", all, tokens)
		return all, "1"
	}
	return all, set[1:]
}

// mark adds flags to messages, or with "-" in front takes them away.
func (u *user) mark(flags string, tokens ...string) {
	u.t.Helper()
	messages, uids := u.find(tokens)
	names, off := strings.CutPrefix(flags, "-")
	sign := "+"
	if off {
		sign = "-"
	}
	for n := range messages {
		messages[n].Flags = marked(messages[n].Flags, names, off)
	}
	u.simple(fact{Do: "flags", Folder: u.folder, Messages: messages}, "UID STORE %s %sFLAGS.SILENT (%s)", uids, sign, names)
	for n := range u.shown.messages {
		if m := &u.shown.messages[n]; slices.Contains(tokens, m.Token) {
			m.Flags = marked(m.Flags, names, off)
		}
	}
}

// marked returns flags with those of names, or without them.
func marked(flags, names string, off bool) string {
	if !off {
		return sorted(flags + " " + names)
	}
	left := slices.DeleteFunc(strings.Fields(flags), func(f string) bool { return slices.Contains(strings.Fields(names), f) })
	return strings.Join(left, " ")
}

// copy and move take messages to another folder.
func (u *user) copy(to string, tokens ...string) { u.t.Helper(); u.take("copy", to, tokens) }
func (u *user) move(to string, tokens ...string) {
	u.t.Helper()
	u.take("move", to, tokens)
	u.gone(tokens)
}

func (u *user) take(do, to string, tokens []string) {
	u.t.Helper()
	messages, uids := u.find(tokens)
	u.does(fact{Do: do, Folder: u.folder, To: to, Messages: messages}, func(f *fact) error {
		said, err := u.w.do("UID %s %s %s", strings.ToUpper(do), uids, to)
		m := copyUID.FindStringSubmatch(strings.Join(said, ""))
		if err != nil || m == nil || len(set(m[3])) != len(messages) {
			return fmt.Errorf("found %q: %w", said, err)
		}
		f.Validity = number(m[1])
		for n, uid := range set(m[3]) {
			f.Messages[n].UID = uid
		}
		return nil
	})
}

// gone takes messages out of what is shown.
func (u *user) gone(tokens []string) {
	u.shown.messages = slices.DeleteFunc(u.shown.messages, func(m filed) bool { return slices.Contains(tokens, m.Token) })
}

// expunge removes messages: those with \Deleted, or with uid just these.
func (u *user) expunge(uid bool, tokens ...string) {
	u.t.Helper()
	u.mark(`\Deleted`, tokens...)
	messages, uids := u.find(tokens)
	command := "EXPUNGE"
	if uid {
		command = "UID EXPUNGE " + uids
	}
	u.simple(fact{Do: "expunge", Folder: u.folder, Messages: messages}, "%s", command)
	u.gone(tokens)
}

func (u *user) create(folder string) {
	u.t.Helper()
	u.simple(fact{Do: "create", Folder: folder}, "CREATE %s", folder)
}

func (u *user) rename(folder, to string) {
	u.t.Helper()
	u.simple(fact{Do: "rename", Folder: folder, To: to}, "RENAME %s %s", folder, to)
}

// clear renames the INBOX, which is open: its messages go to a new folder, and it
// stays (RFC 3501 6.3.5).
func (u *user) clear(to string) {
	u.t.Helper()
	create := fact{Client: u.name, Began: true, Do: "create", Folder: to}
	create.note(u.t, u.record)
	u.simple(fact{Do: "move", Folder: "INBOX", To: to, Messages: u.shown.messages}, "RENAME INBOX %s", to)
	create.Began = false
	create.note(u.t, u.record)
	u.shown.messages = nil
}

func (u *user) remove(folder string) {
	u.t.Helper()
	u.simple(fact{Do: "delete", Folder: folder}, "DELETE %s", folder)
}

func (u *user) subscribe(folder string, on bool) {
	u.t.Helper()
	do := "subscribe"
	if !on {
		do = "unsubscribe"
	}
	u.simple(fact{Do: do, Folder: folder}, "%s %s", strings.ToUpper(do), folder)
}

// letter has a message arrive for her.
func (u *user) letter(i *instance.Instance, l *letter) {
	u.t.Helper()
	fact{Client: l.name, Began: true, Do: "letter", Folder: "INBOX", Messages: []filed{{Token: l.name}}}.note(u.t, u.record)
	l.send(u.t, i.Addr["smtp"], u.record)
}

// popped has a POP3 client of hers remove messages.
func popped(t *testing.T, i *instance.Instance, name, record string, tokens ...string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", i.Addr["pop3"], suite.Limit)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(suite.Limit))
	in := bufio.NewReader(conn)
	var removed []filed
	say := func(format string, args ...any) string {
		fmt.Fprintf(conn, format+"\r\n", args...)
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "+OK") {
			t.Errorf("%s: found %q, %v, expected +OK", format, line, err)
		}
		return line
	}
	in.ReadString('\n')
	say("USER %s", suite.Ann)
	say("PASS %s", instance.Password)
	count := 0
	fmt.Sscanf(say("STAT"), "+OK %d", &count)
	for n := 1; n <= count; n++ {
		fmt.Fprintf(conn, "TOP %d 0\r\n", n)
		switch line, err := in.ReadString('\n'); {
		case line == fmt.Sprintf("-ERR message %d is gone\r\n", n): // another of her clients has moved it
			continue
		case err != nil || !strings.HasPrefix(line, "+OK"):
			t.Errorf("TOP %d 0: found %q, %v, expected +OK", n, line, err)
			return
		}
		token := ""
		for line, err := in.ReadString('\n'); err == nil && line != ".\r\n"; line, err = in.ReadString('\n') {
			fmt.Sscanf(line, "Subject: %s", &token)
		}
		if slices.Contains(tokens, token) {
			say("DELE %d", n)
			removed = append(removed, filed{Token: token})
		}
	}
	if len(removed) != len(tokens) {
		t.Errorf("got %v, want %v", removed, tokens)
	}
	f := fact{Client: name, Began: true, Do: "expunge", Folder: "INBOX", Messages: removed}
	f.note(t, record)
	say("QUIT")
	f.Began = false
	f.note(t, record)
}
