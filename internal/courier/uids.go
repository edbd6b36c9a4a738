package courier

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"posthorn/internal/dovecot"
)

// UIDs is a `courierimapuiddb`.
type UIDs struct {
	UIDValidity uint32   // 0: there is no list that can be read
	Next        uint32   // the lowest UID not given yet
	Messages    []Number // the lowest UID first
}

// Number is one message's UID.
type Number struct {
	UID  uint32
	Name string // of the file, without flags
}

// ParseUIDs reads a list: `1 <UIDVALIDITY> <next UID>`, then `<UID> <name>`. Of
// two lines with one UID or one name the first counts. A last line without its
// line end was cut off and is left out.
func ParseUIDs(content []byte) (u UIDs) {
	first, rest, whole := bytes.Cut(content, []byte{'\n'})
	if !whole || len(first) > maxLine || !bytes.HasPrefix(first, []byte("1 ")) {
		return UIDs{}
	}
	head, err := dovecot.ParseHeader(first)
	if err != nil {
		return UIDs{}
	}
	u.UIDValidity, u.Next = head.UIDValidity, max(head.Next, 1)
	names, numbers := make(map[string]bool), make(map[uint32]bool)
	for line := range lines(rest) {
		r, err := dovecot.ParseRecord(line, 1)
		if err != nil || names[string(r.Name)] || numbers[r.UID] {
			continue
		}
		n := Number{r.UID, string(r.Name)}
		names[n.Name], numbers[n.UID] = true, true
		u.Messages = append(u.Messages, n)
		u.Next = max(u.Next, n.UID+1)
	}
	slices.SortFunc(u.Messages, func(a, b Number) int { return cmp.Compare(a.UID, b.UID) })
	return u
}

// format is ParseUIDs the other way.
func (u UIDs) format() []byte {
	b := fmt.Appendf(nil, "1 %d %d\n", u.UIDValidity, u.Next)
	for _, n := range u.Messages {
		b = fmt.Appendf(b, "%d %s\n", n.UID, n.Name)
	}
	return b
}

// lines yields the whole lines of content that are not too long, without their
// ends.
func lines(content []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			line, rest, whole := bytes.Cut(content, []byte{'\n'})
			if !whole || len(line) <= maxLine && !yield(line) {
				return
			}
			content = rest
		}
	}
}
