package message

import (
	"net/netip"
	"strings"
	"time"
)

// Trace is what a Received field tells about a message's last hop
// (RFC 5321 4.4).
type Trace struct {
	Helo   string     // what the client called itself; foreign bytes
	Client netip.Addr // where it came from
	Local  string     // who it came from instead, where that is a process of this host: a word such as uid:1000
	Host   string     // our name
	With   string     // a keyword made by Protocol
	TLS    string     // version and cipher suite, "" without TLS
	ID     string     // the message's id
	For    string     // the recipient when there is one only, so that none is betrayed to another
	Time   time.Time
}

// Append appends the field with its line ends to dst.
func (t Trace) Append(dst []byte) []byte {
	dst = append(dst, "Received: from "...)
	dst = append(dst, heloWord(t.Helo)...)
	dst = append(dst, " ("...)
	if t.Local != "" {
		dst = append(dst, t.Local...)
	} else {
		dst = append(dst, literal(t.Client)...)
	}
	dst = append(dst, ")\r\n\tby "...)
	dst = append(dst, t.Host...)
	dst = append(dst, " with "...)
	dst = append(dst, t.With...)
	dst = append(dst, " id "...)
	dst = append(dst, t.ID...)
	if t.TLS != "" {
		dst = append(dst, "\r\n\t("...)
		dst = append(dst, t.TLS...)
		dst = append(dst, ')')
	}
	if t.For != "" {
		dst = append(dst, "\r\n\tfor <"...)
		dst = append(dst, t.For...)
		dst = append(dst, '>')
	}
	dst = append(dst, ";\r\n\t"...)
	dst = append(dst, Date(t.Time)...)
	return append(dst, '\r', '\n')
}

// heloWord makes what the client said fit for a header: the characters of
// domains and literals stay, others become "?".
func heloWord(s string) string {
	const maxHelo = 255 // RFC 5321 4.5.3.1.2
	if len(s) > maxHelo {
		s = s[:maxHelo]
	}
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(".-_:[]", r):
			return r
		}
		return '?'
	}, s)
	if word == "" {
		return "unknown"
	}
	return word
}

// literal writes ip as an address literal (RFC 5321 4.1.3).
func literal(ip netip.Addr) string {
	switch ip = ip.Unmap(); {
	case ip.Is4():
		return "[" + ip.String() + "]"
	case ip.Is6():
		return "[IPv6:" + ip.WithZone("").String() + "]"
	}
	return "unknown"
}

// Protocol returns the keyword of a transmission for the with clause: RFC 3848,
// and RFC 6531 4.3 for mail that needs SMTPUTF8.
func Protocol(esmtp, utf8, tls, auth bool) string {
	if !esmtp {
		return "SMTP"
	}
	word := "ESMTP"
	if utf8 {
		word = "UTF8SMTP"
	}
	if tls {
		word += "S"
	}
	if auth {
		word += "A"
	}
	return word
}

// Date writes t as RFC 5322 3.3 wants it, with t's own zone.
func Date(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// MessageID makes a Message-ID out of an id of ours and a host's name
// (RFC 5322 3.6.4).
func MessageID(id, host string) string { return "<" + id + "@" + host + ">" }
