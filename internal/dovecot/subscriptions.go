package dovecot

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	subscriptionsName = "subscriptions"
	subscriptionsV2   = "V\t2\n\n" // what begins the file of Dovecot 2.3 and later
	maxSubscriptions  = 4 << 20    // bytes of the file
)

// ErrTooMany means that the subscriptions file has reached its limit.
var ErrTooMany = errors.New("too many subscriptions")

// Subscriptions are the names subscribed to, as they are written in the
// Maildir: modified UTF-7, '.' between levels.
type Subscriptions struct {
	Names []string
	v1    bool // a file of Dovecot before 2.3: one name a line, no header
}

// LoadSubscriptions reads the file in the Maildir's root. A missing file means
// none.
func LoadSubscriptions(root Dir) (Subscriptions, error) {
	content, err := root.Read(subscriptionsName, maxSubscriptions)
	if err != nil {
		return Subscriptions{}, err
	}
	return ParseSubscriptions(content), nil
}

// ParseSubscriptions reads both forms of the file. In the newer one a tab
// stands between levels.
func ParseSubscriptions(content []byte) (s Subscriptions) {
	text, v2 := strings.CutPrefix(string(content), subscriptionsV2)
	s.v1 = !v2 && len(content) > 0
	seen := make(map[string]bool)
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if v2 {
			line = strings.ReplaceAll(line, "\t", ".")
		}
		if line == "" || len(line) > maxLine || strings.ContainsAny(line, "\x00\t\r") || seen[line] {
			continue
		}
		seen[line] = true
		s.Names = append(s.Names, line)
	}
	return s
}

// Set adds name or takes it away and reports whether that changed anything.
func (s *Subscriptions) Set(name string, on bool) bool {
	i := slices.Index(s.Names, name)
	switch {
	case on && i < 0:
		s.Names = append(s.Names, name)
	case !on && i >= 0:
		s.Names = slices.Delete(s.Names, i, i+1)
	default:
		return false
	}
	return true
}

// format writes the file's content in the form that was read.
func (s *Subscriptions) format() []byte {
	var b strings.Builder
	if !s.v1 {
		b.WriteString(subscriptionsV2)
	}
	for _, name := range s.Names {
		if !s.v1 {
			name = strings.ReplaceAll(name, ".", "\t")
		}
		b.WriteString(name + "\n")
	}
	return []byte(b.String())
}

// Subscribe adds name to the subscriptions of a Maildir or takes it away,
// under the lock that Dovecot uses. It is durable when it returns nil.
func (k *Locker) Subscribe(root Dir, name string, on bool) (err error) {
	if name == "" || strings.ContainsAny(name, "\n\t\x00\r") {
		return fmt.Errorf("subscribing to %.60q: not a folder name", name)
	}
	lock, err := k.Lock(root, subscriptionsLock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	s, err := LoadSubscriptions(root)
	if err != nil || !s.Set(name, on) {
		return err
	}
	content := s.format()
	if len(content) > maxSubscriptions {
		return ErrTooMany
	}
	return root.Replace(subscriptionsName, func(f io.Writer) error {
		_, err := f.Write(content)
		return err
	})
}

// FirstSubscriptions writes a list of subscriptions where there is none yet.
// It is durable when it returns nil.
func (k *Locker) FirstSubscriptions(root Dir, names []string) (err error) {
	lock, err := k.Lock(root, subscriptionsLock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if have, err := root.Has(subscriptionsName); err != nil || have {
		return err
	}
	s := Subscriptions{Names: names}
	return root.Replace(subscriptionsName, func(f io.Writer) error {
		_, err := f.Write(s.format())
		return err
	})
}
