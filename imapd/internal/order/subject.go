package order

import (
	"strings"

	"posthorn/imapd/internal/decode"
)

// Base returns the base subject of the value of a Subject field, in UTF-8, and
// whether what was removed from it is the mark of a reply or of a forwarded
// message (RFC 5256 sections 2.1 and 3).
func Base(subject string) (base string, reply bool) {
	s := squeeze(decode.Words(subject)) // step 1
	for {
		var fwd, re bool
		s, fwd = trimTrailers(s) // step 2
		s, re = trimLeaders(s)   // steps 3 to 5
		reply = reply || fwd || re
		inner, ok := forwarded(s) // step 6
		if !ok {
			return s, reply
		}
		s, reply = inner, true
	}
}

// squeeze makes one space of each run of blanks.
func squeeze(s string) string {
	if !strings.ContainsAny(s, "\t\r\n") && !strings.Contains(s, "  ") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\t' || c == '\r' || c == '\n' {
			c = ' '
		}
		if c != ' ' || len(out) == 0 || out[len(out)-1] != ' ' {
			out = append(out, c)
		}
	}
	return string(out)
}

// trimTrailers removes each subj-trailer.
func trimTrailers(s string) (rest string, fwd bool) {
	const mark = "(fwd)"
	for {
		s = strings.TrimRight(s, " ")
		at := len(s) - len(mark)
		if at < 0 || !strings.EqualFold(s[at:], mark) {
			return s, fwd
		}
		s, fwd = s[:at], true
	}
}

// trimLeaders removes each subj-leader, and each subj-blob as long as something
// is left behind it.
func trimLeaders(s string) (rest string, re bool) {
	for {
		s = strings.TrimLeft(s, " ")
		behind, last := skipBlobs(s)
		next, ok := skipRefwd(behind)
		switch {
		case ok:
			s, re = next, true
		case behind == "":
			return last, re
		default:
			return behind, re
		}
	}
}

// skipBlobs passes each subj-blob that s begins with; last is where the last one
// begins.
func skipBlobs(s string) (behind, last string) {
	last = s
	for {
		next, ok := skipBlob(s)
		if !ok {
			return s, last
		}
		s, last = next, s
	}
}

func skipBlob(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]\x00")
	if end < 0 || s[1+end] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[1+end+1:], " "), true
}

// skipRefwd passes a subj-refwd without the blobs in front of it.
func skipRefwd(s string) (rest string, ok bool) {
	for _, word := range []string{"re", "fwd", "fw"} {
		if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) {
			continue
		}
		behind, _ := skipBlob(strings.TrimLeft(s[len(word):], " "))
		return strings.CutPrefix(behind, ":")
	}
	return s, false
}

// forwarded returns what stands between a subj-fwd-hdr and a subj-fwd-trl.
func forwarded(s string) (inner string, ok bool) {
	const begin, end = "[fwd:", "]"
	if len(s) < len(begin)+len(end) || !strings.EqualFold(s[:len(begin)], begin) || !strings.HasSuffix(s, end) {
		return s, false
	}
	return s[len(begin) : len(s)-len(end)], true
}
