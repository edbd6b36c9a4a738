package imap

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"posthorn/internal/mailbox"
	"posthorn/internal/utf7"
	"posthorn/posthorn/internal/moving"
)

// maxMessages bounds a folder, maxFolders an account.
const (
	maxMessages = 5_000_000
	maxFolders  = 100_000
)

// Source brings the mail of an account.
type Source struct {
	account  Account
	conn     *conn // nil: none is open
	caps     []string
	open     string // the folder that is selected
	raw      string // the folder listed last
	validity uint32
	blind    bool // the server names a message behind it
}

// Open returns the account's Source. It connects when it is asked for something.
func Open(a Account) *Source { return &Source{account: a} }

// Name implements moving.Source.
func (s *Source) Name() string { return s.account.Name() }

// Close implements moving.Source.
func (s *Source) Close() error {
	if s.conn != nil {
		_ = s.conn.send(s.conn.tag() + " LOGOUT\r\n") // it ends in any case
	}
	s.drop()
	return nil
}

// drop ends the connection.
func (s *Source) drop() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.conn, s.open = nil, ""
}

// connect makes sure that there is a connection.
func (s *Source) connect() (err error) {
	if s.conn == nil {
		s.conn, s.caps, err = s.account.login()
	}
	return err
}

// check drops a connection that is lost.
func (s *Source) check(err error) error {
	if errors.Is(err, moving.ErrLost) {
		s.drop()
	}
	return err
}

// Folders implements moving.Source: one's own folders, without those of others.
func (s *Source) Folders() (folders []moving.Folder, err error) {
	if err := s.connect(); err != nil {
		return nil, err
	}
	defer func() { err = s.check(err) }()
	own, others, err := prefix(s.conn, s.caps)
	if err != nil {
		return nil, err
	}
	l := &lister{own: own, others: others}
	command := `LIST "" "*"`
	if slices.Contains(s.caps, "LIST-EXTENDED") && slices.Contains(s.caps, "SPECIAL-USE") {
		command += " RETURN (SPECIAL-USE)" // RFC 6154 section 2
	}
	if err := s.conn.do(l.list, command); err != nil {
		return nil, err
	}
	if err := s.conn.do(l.subscribed, `LSUB "" "*"`); err != nil && errors.Is(err, moving.ErrLost) {
		return nil, err
	}
	return l.folders, nil
}

// lister collects folders.
type lister struct {
	own     string
	others  []string
	folders []moving.Folder
}

// list takes a LIST response.
func (l *lister) list(p *parser) error {
	f, flags, err := l.entry(p, "LIST")
	if f == nil || err != nil {
		return err
	}
	if len(l.folders) == maxFolders {
		return errors.New("the server has too many folders")
	}
	for _, flag := range flags {
		switch strings.ToLower(flag) {
		case `\noselect`, `\nonexistent`:
			f.Missing = true
		default:
			f.Uses = append(f.Uses, flag)
		}
	}
	l.folders = append(l.folders, *f)
	return nil
}

// subscribed takes an LSUB response.
func (l *lister) subscribed(p *parser) error {
	f, flags, err := l.entry(p, "LSUB")
	if f == nil || err != nil {
		return err
	}
	if slices.ContainsFunc(flags, func(flag string) bool { return strings.EqualFold(flag, `\Noselect`) }) {
		return nil // only what is below it (RFC 3501 6.3.9)
	}
	for i := range l.folders {
		if l.folders[i].Raw == f.Raw {
			l.folders[i].Subscribed = true
			return nil
		}
	}
	if len(l.folders) < maxFolders {
		f.Missing, f.Subscribed = true, true
		l.folders = append(l.folders, *f)
	}
	return nil
}

// entry takes a response of that name; nil is none, or another user's folder.
func (l *lister) entry(p *parser, name string) (*moving.Folder, []string, error) {
	if !strings.EqualFold(p.atom(), name) || !p.take(' ') {
		return nil, nil, nil
	}
	flags, err := p.words()
	if err != nil || !p.take(' ') {
		return nil, nil, errSyntax
	}
	delimiter, none, err := p.str()
	if err != nil || !p.take(' ') || !none && len(delimiter) != 1 {
		return nil, nil, errSyntax
	}
	raw, _, err := p.str()
	if err != nil {
		return nil, nil, err
	}
	if none {
		delimiter = ""
	}
	if slices.ContainsFunc(l.others, func(other string) bool {
		return strings.HasPrefix(raw, other) || raw == strings.TrimSuffix(other, delimiter)
	}) {
		return nil, nil, nil
	}
	return &moving.Folder{Levels: l.levels(raw, delimiter), Raw: raw}, flags, nil
}

// levels returns a name level by level, in UTF-8.
func (l *lister) levels(raw, delimiter string) []string {
	name := cmp.Or(strings.TrimPrefix(raw, l.own), raw)
	if delimiter == "" {
		return []string{readable(name)}
	}
	var levels []string
	for level := range strings.SplitSeq(strings.TrimRight(name, delimiter), delimiter) {
		levels = append(levels, readable(level))
	}
	return levels
}

// readable decodes a name: modified UTF-7, or what some servers send in its place.
func readable(name string) string {
	if plain, err := utf7.Decode(name); err == nil {
		return plain
	}
	return strings.ToValidUTF8(name, string(utf8.RuneError))
}

// List implements moving.Source.
func (s *Source) List(f moving.Folder) (_ *moving.Listing, err error) {
	if err := s.connect(); err != nil {
		return nil, err
	}
	defer func() { err = s.check(err) }()
	s.raw, s.validity = f.Raw, 0
	e, err := s.examine()
	if err != nil {
		return nil, err
	}
	s.validity = e.validity
	l := &moving.Listing{UIDValidity: e.validity, UIDNext: e.next, Token: strconv.FormatUint(uint64(e.validity), 10)}
	if e.exists > 0 {
		err = s.conn.do(func(p *parser) error { return s.listed(p, l) }, "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(l.Items, func(a, b moving.Item) int { return int(int64(a.Number) - int64(b.Number)) })
	l.Items = slices.CompactFunc(l.Items, func(a, b moving.Item) bool { return a.Number == b.Number })
	if n := len(l.Items); n > 0 {
		l.UIDNext = max(l.UIDNext, l.Items[n-1].Number+1)
	}
	if l.Unlisted = max(int(e.exists)-len(l.Items), 0); l.Unlisted > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("the server has %d messages, and lists %d of them", e.exists, len(l.Items)))
	}
	return l, nil
}

// examined is what the server says of a folder.
type examined struct{ validity, next, exists uint32 }

// examine selects the folder that was listed last.
func (s *Source) examine() (e examined, err error) {
	s.open = ""
	err = s.conn.do(func(p *parser) error {
		if value, ok := code(p, "UIDVALIDITY"); ok {
			e.validity = small(value)
		} else if value, ok := code(p, "UIDNEXT"); ok {
			e.next = small(value)
		} else if number := p.atom(); p.take(' ') && strings.EqualFold(string(p.rest), "EXISTS") {
			e.exists = small(number)
		}
		return nil
	}, "EXAMINE", s.raw)
	if err == nil && e.validity == 0 {
		err = errors.New("the server names no UIDVALIDITY")
	}
	if err == nil {
		s.open = s.raw
	}
	return e, err
}

func small(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32) // 0 for what is none
	return uint32(n)
}

// listed takes a FETCH response of the listing.
func (s *Source) listed(p *parser, l *moving.Listing) error {
	f := fetched{size: -1}
	if ok, err := beginFetch(p); !ok || err != nil {
		return err
	}
	if _, err := p.items(&f); err != nil {
		return err
	}
	if f.uid == 0 || f.size < 0 {
		return nil // only flags, of a change
	}
	if len(l.Items) == maxMessages {
		return errors.New("the folder has too many messages")
	}
	date, _ := time.Parse("_2-Jan-2006 15:04:05 -0700", f.date) // zero: now
	uid := strconv.FormatUint(uint64(f.uid), 10)
	l.Items = append(l.Items, moving.Item{
		Number: f.uid, Size: f.size, Date: date, Flags: flagsOf(f.flags),
		ID: moving.ID(f.uid, s.Name(), s.raw, l.Token, uid),
	})
	return nil
}

// beginFetch takes `5 FETCH (`; ok is false for another response.
func beginFetch(p *parser) (ok bool, err error) {
	if n, err := p.number(math.MaxUint32); err != nil || n == 0 {
		return false, nil
	}
	if !p.take(' ') || !strings.EqualFold(p.atom(), "FETCH") {
		return false, nil
	}
	if !p.take(' ') || !p.take('(') {
		return false, errSyntax
	}
	return true, nil
}

// flagsOf returns flags as they are kept here; \Recent and what else has a backslash
// mean nothing here.
func flagsOf(names []string) (f mailbox.Flags) {
	for _, name := range names {
		switch strings.ToLower(name) {
		case `\answered`:
			f.System |= mailbox.Answered
		case `\deleted`:
			f.System |= mailbox.Deleted
		case `\draft`:
			f.System |= mailbox.Draft
		case `\flagged`:
			f.System |= mailbox.Flagged
		case `\seen`:
			f.System |= mailbox.Seen
		default:
			if !strings.HasPrefix(name, `\`) {
				f.Keywords = append(f.Keywords, name)
			}
		}
	}
	return f
}
