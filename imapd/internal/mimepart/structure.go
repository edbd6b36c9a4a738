package mimepart

import (
	"strings"
)

// Output is where descriptions are written; package wire's Writer is one.
type Output interface {
	Put(s string)
	Num(n uint64)
	AString(s string)
}

// Envelope writes the ENVELOPE of the message p (RFC 3501 section 7.4.2).
func (p *Part) Envelope(w Output) {
	w.Put("(")
	p.nstring(w, "date")
	w.Put(" ")
	p.nstring(w, "subject")
	from := p.Addresses("from")
	for _, name := range []string{"from", "sender", "reply-to", "to", "cc", "bcc"} {
		list := p.Addresses(name)
		if len(list) == 0 && (name == "sender" || name == "reply-to") {
			list = from
		}
		w.Put(" ")
		writeAddresses(w, list)
	}
	w.Put(" ")
	p.nstring(w, "in-reply-to")
	w.Put(" ")
	p.nstring(w, "message-id")
	w.Put(")")
}

func (p *Part) nstring(w Output, name string) {
	if v, ok := p.Field(name); ok {
		w.AString(v)
		return
	}
	w.Put("NIL")
}

func writeAddresses(w Output, list []Address) {
	if len(list) == 0 {
		w.Put("NIL")
		return
	}
	w.Put("(")
	for _, a := range list {
		w.Put("(")
		orNil(w, a.Name)
		w.Put(" ")
		orNil(w, a.Route)
		w.Put(" ")
		if a.Group {
			w.AString(a.Mailbox) // NIL would be an end
		} else {
			orNil(w, a.Mailbox)
		}
		w.Put(" ")
		orNil(w, a.Host)
		w.Put(")")
	}
	w.Put(")")
}

func orNil(w Output, s string) {
	if s == "" {
		w.Put("NIL")
		return
	}
	w.AString(s)
}

// Structure writes the BODYSTRUCTURE of p, or without extended its BODY (RFC
// 3501 section 7.4.2).
func (p *Part) Structure(w Output, extended bool) { p.structure(w, form{extended: extended}) }

// StructureRev2 is Structure as RFC 9051 section 7.5.2 has it: a message/global has
// that of its message.
func (p *Part) StructureRev2(w Output, extended bool) {
	p.structure(w, form{extended: extended, global: true})
}

// form says how a structure is written.
type form struct{ extended, global bool }

func (p *Part) structure(w Output, f form) {
	w.Put("(")
	if p.Is("multipart", "") {
		p.multipart(w, f)
	} else {
		p.single(w, f)
	}
	w.Put(")")
}

func (p *Part) multipart(w Output, f form) {
	for _, c := range p.Children {
		c.structure(w, f)
	}
	if len(p.Children) == 0 {
		p.none().structure(w, f)
	}
	w.Put(" ")
	w.AString(p.Subtype)
	if f.extended {
		w.Put(" ")
		writeParams(w, p.Params)
		p.extension(w)
	}
}

func (p *Part) single(w Output, f form) {
	typ, sub, params := p.Type, p.Subtype, p.Params
	message := p.Message != nil && (f.global || p.Is("message", "rfc822"))
	if p.Message == nil && (p.Is("message", "rfc822") || f.global && p.Is("message", "global")) {
		typ, sub, params = "application", "octet-stream", nil // nested too deep, or encoded, and cannot be looked into
	}
	text := strings.EqualFold(typ, "text")
	if text && !p.hasParam("charset") {
		params = append(params[:len(params):len(params)], Param{"charset", "us-ascii"})
	}
	w.AString(typ)
	w.Put(" ")
	w.AString(sub)
	w.Put(" ")
	writeParams(w, params)
	w.Put(" ")
	p.nstring(w, "content-id")
	w.Put(" ")
	p.nstring(w, "content-description")
	w.Put(" ")
	w.AString(p.Encoding())
	w.Put(" ")
	w.Num(uint64(p.Body.Len()))
	if message {
		w.Put(" ")
		p.Message.Envelope(w)
		w.Put(" ")
		p.Message.structure(w, f)
	}
	if message || text {
		w.Put(" ")
		w.Num(uint64(max(p.Lines, 0)))
	}
	if f.extended {
		w.Put(" ")
		p.nstring(w, "content-md5")
		p.extension(w)
	}
}

// Encoding returns the Content-Transfer-Encoding as written, "7bit" when there
// is none (RFC 2045 section 6.1) or more than one word. A semicolon that some
// mail programs put behind it is left out.
func (p *Part) Encoding() string {
	v, _ := p.Field("content-transfer-encoding")
	t := tokens{s: v}
	t.blanks()
	v = t.token()
	if t.blanks(); v == "" || t.i < len(t.s) && t.peek() != ';' {
		return "7bit"
	}
	return v
}

// extension writes disposition, language and location.
func (p *Part) extension(w Output) {
	w.Put(" ")
	p.disposition(w)
	w.Put(" ")
	p.language(w)
	w.Put(" ")
	p.nstring(w, "content-location")
}

func (p *Part) disposition(w Output) {
	v, _ := p.Field("content-disposition")
	t := tokens{s: v}
	t.blanks()
	value, params := t.token(), t.params()
	if value == "" && len(params) > 0 {
		value = "attachment" // what cannot be recognized is one (RFC 2183 section 2.8)
	}
	if value == "" {
		w.Put("NIL")
		return
	}
	w.Put("(")
	w.AString(value)
	w.Put(" ")
	writeParams(w, params)
	w.Put(")")
}

// language writes the tags of a list with commas (RFC 3282 section 2).
func (p *Part) language(w Output) {
	v, _ := p.Field("content-language")
	t := tokens{s: v}
	sep := "("
	for t.i < len(t.s) {
		t.blanks()
		if tag := t.token(); tag != "" {
			w.Put(sep)
			w.AString(tag)
			sep = " "
		}
		t.behind(',')
	}
	if sep == "(" {
		w.Put("NIL")
		return
	}
	w.Put(")")
}

func writeParams(w Output, params []Param) {
	if len(params) == 0 {
		w.Put("NIL")
		return
	}
	w.Put("(")
	for i, p := range params {
		if i > 0 {
			w.Put(" ")
		}
		w.AString(p.Name)
		w.Put(" ")
		w.AString(p.Value)
	}
	w.Put(")")
}
