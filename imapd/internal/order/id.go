package order

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
)

// maxReferences bounds the references of one message that count: the last ones.
const maxReferences = 1000

// id stands for a message ID: a hash, for nothing is asked of IDs but whether they
// are the same. Who has two that are by design could as well write the same twice.
type id uint64

// idSize is how many bytes an id is kept in.
const idSize = 8

// newID returns the id of a message ID, 0 for "" alone: FNV-1a.
func newID(s string) id {
	if s == "" {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(s))
	return max(id(h.Sum64()), 1)
}

func appendID(b []byte, s string) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(newID(s)))
}

// id returns the message's own.
func (f *Facts) id() id { return f.at(0) }

func (f *Facts) at(i int) id { return id(binary.LittleEndian.Uint64(f.ids[i*idSize:])) }

// references are those of the message's ancestors.
func (f *Facts) references() func(yield func(id) bool) {
	return func(yield func(id) bool) {
		for i := 1; i < len(f.ids)/idSize && yield(f.at(i)); i++ {
		}
	}
}

// references returns the message IDs of a message's ancestors (RFC 5256 section
// 3, REFERENCES).
func references(h Header) []string {
	v, _ := h.Field("references")
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[max(0, len(ids)-maxReferences):]
	}
	v, _ = h.Field("in-reply-to")
	ids := messageIDs(v)
	return ids[:min(len(ids), 1)]
}

// ownID returns a message's own ID, "" if it has none.
func ownID(h Header) string {
	v, _ := h.Field("message-id")
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// messageIDs returns the valid message IDs in a field, without brackets and
// superfluous quotes (RFC 5322 section 3.6.4).
func messageIDs(v string) (ids []string) {
	if n := strings.Count(v, "<"); n > 0 {
		ids = make([]string, 0, min(n, 2*maxReferences))
	}
	for {
		start := strings.IndexByte(v, '<')
		if start < 0 {
			return ids
		}
		id, n, ok := messageID(v[start+1:])
		if ok {
			ids = append(ids, id)
		}
		v = v[start+1+n:]
	}
}

// messageID takes a message ID behind its bracket; n is how much of s was looked
// at.
func messageID(s string) (id string, n int, ok bool) {
	if i := strings.IndexAny(s, "\\\" \t<>"); i >= 0 && s[i] == '>' { // it stands as it is
		at := strings.LastIndexByte(s[:i], '@')
		return s[:i], i + 1, at > 0 && at < i-1
	}
	var out strings.Builder
	quoted, at := false, -1
	for n = 0; n < len(s); n++ {
		c := s[n]
		switch {
		case c == '\\' && quoted && n+1 < len(s):
			n++
			c = s[n]
		case c == '"':
			quoted = !quoted
			continue
		case quoted:
		case c == '<':
			return "", n, false
		case c == '>':
			return out.String(), n + 1, at > 0 && at < out.Len()-1
		case c == ' ' || c == '\t':
			continue
		case c == '@':
			at = out.Len()
		}
		out.WriteByte(c)
	}
	return "", n, false
}
