package order

import "strings"

// maxReferences bounds the references of one message that count: the last ones.
const maxReferences = 1000

// references returns the message IDs of a message's ancestors (RFC 5256 section
// 3, REFERENCES).
func (m Message) references() []string {
	v, _ := m.Header.Field("references")
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[max(0, len(ids)-maxReferences):]
	}
	v, _ = m.Header.Field("in-reply-to")
	ids := messageIDs(v)
	return ids[:min(len(ids), 1)]
}

// id returns the message's own ID, "" if it has none.
func (m Message) id() string {
	v, _ := m.Header.Field("message-id")
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// messageIDs returns the valid message IDs in a field, without brackets and
// superfluous quotes (RFC 5322 section 3.6.4).
func messageIDs(v string) (ids []string) {
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
