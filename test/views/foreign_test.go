package views

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"time"

	"posthorn/test/history"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

// foreigns is what programs of others do in a Maildir: mutt, rsync, an MDA.
func (s *stage) foreigns(r *rand.Rand) {
	s.tally.foreign++
	b := s.anyBox(r)
	if slices.ContainsFunc(s.sessions, func(c *session) bool { return c.idle && c.box == b }) {
		s.stirred = time.Now()
	}
	d := s.read(b)
	if len(s.wrong) > 0 {
		return
	}
	if len(d.files) == 0 || r.IntN(4) == 0 {
		s.files(r, b)
		if r.IntN(3) == 0 {
			s.givesUIDs(r, b)
		}
		return
	}
	f := d.files[r.IntN(len(d.files))]
	switch r.IntN(10) {
	case 0:
		s.removes(b, f)
	case 1:
		s.damages(r, b)
	case 2:
		s.syncsIn(r, b, d)
	case 3, 4:
		s.givesUIDs(r, b)
	case 5:
		s.twins(r, b, f)
	default:
		s.marks(r, b, d, f)
	}
}

// file is the model's message of a file.
func (b *box) of(f file) *mail {
	i := slices.IndexFunc(b.mails, func(m *mail) bool { return !m.gone && m.base == f.base })
	if i < 0 {
		return nil
	}
	return b.mails[i]
}

// files puts a message into new/, as an MDA does.
func (s *stage) files(r *rand.Rand, b *box) {
	n := s.newLetter()
	name := fmt.Sprintf("%d.M%dP%d.elsewhere", time.Now().Unix(), n, 1000+n)
	if r.IntN(2) == 0 {
		name += fmt.Sprintf(",S=%d", len(letterText(n)))
	}
	s.note("  letter %d comes to %s as new/%s", n, b.name, name)
	s.place(b, letterText(n), filepath.Join("tmp", name), filepath.Join("new", name))
	b.expect(n, 0, "")
}

// place writes a file and renames it to where it belongs.
func (s *stage) place(b *box, text, tmp, name string) {
	path := filepath.Join(s.path(b.name), tmp)
	err := os.WriteFile(path, []byte(text), 0o600)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(path, instance.UIDs["vmail"], instance.UIDs["vmail"])
	}
	if err == nil {
		err = os.Rename(path, filepath.Join(s.path(b.name), name))
	}
	s.check(err)
}

// marks renames a file as mutt does when flags changed, or as any MUA does that
// has seen a new message.
func (s *stage) marks(r *rand.Rand, b *box, d disk, f file) {
	m, want := b.of(f), f.flags
	for range r.IntN(3) {
		want = want.apply(history.Pick(r, byte('+'), '-'), history.Pick(r, append(someFlags(r), `\Seen`)...))
	}
	letters, ok := d.lettersOf(want)
	if m == nil || !ok || f.sub == "cur" && want == f.flags {
		return
	}
	to := f.base + ":2," + letters
	s.note("  %s/%s becomes cur/%s in %s", f.sub, f.name(), to, b.name)
	err := os.Rename(filepath.Join(s.path(b.name), f.sub, f.name()), filepath.Join(s.path(b.name), "cur", to))
	if os.IsNotExist(err) {
		return // a session in IDLE was faster
	}
	s.check(err)
	m.set(want)
}

func (s *stage) removes(b *box, f file) {
	m := b.of(f)
	err := os.Remove(filepath.Join(s.path(b.name), f.sub, f.name()))
	if m == nil || os.IsNotExist(err) {
		return
	}
	s.check(err)
	s.note("  %s/%s is removed from %s", f.sub, f.name(), b.name)
	m.gone = true
}

// syncsIn puts a message with flags into cur/, as rsync does.
func (s *stage) syncsIn(r *rand.Rand, b *box, d disk) {
	n, f := s.newLetter(), flagsOf(someFlags(r)...)
	letters, ok := d.lettersOf(f)
	if !ok {
		f, letters = `\Seen`, "S"
	}
	name := fmt.Sprintf("%d.%d.replica:2,%s", time.Now().Unix()-int64(r.IntN(1000)), n, letters)
	s.note("  letter %d comes to %s as cur/%s", n, b.name, name)
	s.place(b, letterText(n), filepath.Join("cur", "."+name+".Xy3z"), filepath.Join("cur", name))
	b.expect(n, 0, f)
}

// twins gives a second message the name of one that sessions know, as a careless
// script does. The first stays what it was.
func (s *stage) twins(r *rand.Rand, b *box, f file) {
	c := s.awake(r)
	if c.box != b || c.readOnly || f.sub != "cur" || f.info == ":2,S" || slices.ContainsFunc(s.sessions, func(c *session) bool { return c.idle }) {
		return
	}
	if !s.command(c, "NOOP") || b.of(f) == nil {
		return
	}
	m := b.of(f)
	m.was = append(m.was, m.now()) // its modseq may become another
	n := s.newLetter()
	s.note("  letter %d comes to %s as cur/%s:2,S, a name that letter %d has", n, b.name, f.base, f.letter)
	s.place(b, letterText(n), filepath.Join("tmp", f.base), filepath.Join("cur", f.base+":2,S"))
	b.expect(n, 0, `\Seen`)
	s.command(c, "NOOP")
}

// damages hurts the index, which may be removed at any time.
func (s *stage) damages(r *rand.Rand, b *box) {
	path := filepath.Join(s.path(b.name), "posthorn.index")
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return
	}
	switch r.IntN(3) {
	case 0:
		s.note("  %s loses its index", b.name)
		s.check(os.Remove(path))
	case 1:
		at := r.IntN(len(text))
		s.note("  byte %d of the index of %s is wrong", at, b.name)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte{text[at] ^ 0x55}, int64(at))
			f.Close()
		}
		s.check(err)
	default:
		n := r.IntN(len(text))
		s.note("  the index of %s ends after %d bytes", b.name, n)
		s.check(os.Truncate(path, int64(n)))
	}
}

// delivers sends a message by SMTP and waits until its file is there.
func (s *stage) delivers(r *rand.Rand) {
	s.tally.deliveries++
	n, b := s.newLetter(), s.boxes["INBOX"]
	s.note("  letter %d is sent", n)
	if err := send(s.site.Addr["smtp"], s.user, letterText(n)); err != nil {
		s.check(err)
		return
	}
	end := time.Now().Add(suite.Limit)
	for !slices.ContainsFunc(s.read(b).files, func(f file) bool { return f.letter == n }) {
		if time.Now().After(end) {
			s.fail("letter %d did not come", n)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.expect(n, 0, "")
}

func send(addr, to, text string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Mail(suite.Eve), c.Rcpt(to)); err != nil {
		return err
	}
	body, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(body, text)
	return errors.Join(err, body.Close(), c.Quit())
}

// rests lets everybody be silent for so long that what is in memory is let go: in
// an ordinary run seldom.
func (s *stage) rests(r *rand.Rand) {
	if r.IntN(8) > 0 && os.Getenv("POSTHORN_PROVE") == "" {
		return
	}
	s.note("  for 4 seconds")
	time.Sleep(4 * time.Second)
}
