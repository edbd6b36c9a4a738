// Package dsn is what a sender may ask of delivery status notifications: the
// parameters RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT (RFC 3461, and
// RFC 6533 for addresses in UTF-8), as they stand in a command and in our own
// lists of attributes.
package dsn

import (
	"errors"
	"fmt"
	"strings"

	"posthorn/internal/attr"
)

// Limits of the values in a command, encoded (RFC 3461 4.2, 4.4).
const (
	MaxEnvid = 100
	MaxOrcpt = 500
)

// Errors of the parsers; they say what is wrong and repeat no input.
var (
	ErrRet    = errors.New("RET is FULL or HDRS")
	ErrEnvid  = errors.New("ENVID is at most 100 characters of xtext")
	ErrNotify = errors.New("NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY")
	ErrOrcpt  = errors.New("ORCPT is a type, a semicolon and at most 500 characters of xtext")
)

// Ret is what of the message goes back with a report of its failure; "" when the
// sender did not say.
type Ret string

// The values of Ret.
const (
	Full Ret = "full"
	Hdrs Ret = "hdrs"
)

// Mail is what was asked for the message.
type Mail struct {
	Ret   Ret
	Envid string // decoded: printable ASCII, or ""
}

// Rcpt is what was asked for one recipient.
type Rcpt struct {
	Orcpt  string // decoded, "type;address", or ""
	Notify Notify
}

// Notify is a set of events of which a sender is to be told. The zero Notify was
// not given: what to tell is ours to choose.
type Notify uint8

// The members of the set; Never stands alone.
const (
	Never Notify = 1 << iota
	Success
	Failure
	Delay
)

// notifyNames are the words of the command, in the order in which they are
// written.
var notifyNames = [...]struct {
	bit  Notify
	name string
}{{Never, "never"}, {Success, "success"}, {Failure, "failure"}, {Delay, "delay"}}

// Wants reports whether the sender is to be told of an event. Without NOTIFY he
// is told of failures and delays (RFC 3461 4.1).
func (n Notify) Wants(event Notify) bool {
	if n == 0 {
		n = Failure | Delay
	}
	return n&event != 0
}

// Without takes an event out of a set that was given: nothing left is never
// (RFC 3461 5.2.7).
func (n Notify) Without(event Notify) Notify {
	if n != 0 && n&^event == 0 {
		return Never
	}
	return n &^ event
}

// Join is what two requests for the same recipient come to: he who asked to be
// told is told.
func (n Notify) Join(other Notify) Notify {
	switch {
	case n == other || other == Never:
		return n
	case n == Never:
		return other
	}
	both := n | other
	if n == 0 || other == 0 {
		both |= Failure | Delay
	}
	return both
}

// String is the set as our own files hold it, "" for one that was not given.
func (n Notify) String() string {
	var words []string
	for _, w := range notifyNames {
		if n&w.bit != 0 {
			words = append(words, w.name)
		}
	}
	return strings.Join(words, ",")
}

// ParseNotify reads NOTIFY, in any case.
func ParseNotify(s string) (Notify, error) {
	var n Notify
	for word := range strings.SplitSeq(s, ",") {
		bit := notifyBit(word)
		if bit == 0 || n&bit != 0 {
			return 0, ErrNotify
		}
		n |= bit
	}
	if n&Never != 0 && n != Never {
		return 0, ErrNotify
	}
	return n, nil
}

func notifyBit(word string) Notify {
	for _, w := range notifyNames {
		if strings.EqualFold(w.name, word) {
			return w.bit
		}
	}
	return 0
}

// ParseRet reads RET, in any case.
func ParseRet(s string) (Ret, error) {
	switch r := Ret(strings.ToLower(s)); r {
	case Full, Hdrs:
		return r, nil
	}
	return "", ErrRet
}

// Add appends what was asked to a list, nothing for what was not.
func (m Mail) Add(l *attr.List) {
	if m.Ret != "" {
		l.Add("ret", string(m.Ret))
	}
	if m.Envid != "" {
		l.Add("envid", m.Envid)
	}
}

// Take reads a line that Add wrote; ok is false for another one.
func (m *Mail) Take(a attr.Attr) (ok bool, err error) {
	switch a.Name {
	case "ret":
		m.Ret, err = ParseRet(a.Value)
	case "envid":
		if m.Envid = a.Value; m.Envid == "" || len(m.Envid) > MaxEnvid || !printable(m.Envid) {
			err = ErrEnvid
		}
	default:
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("%s: found %.100q: %w", a.Name, a.Value, err)
	}
	return true, nil
}

// Add appends what was asked to a list, nothing for what was not.
func (r Rcpt) Add(l *attr.List) {
	if r.Orcpt != "" {
		l.Add("orcpt", r.Orcpt)
	}
	if r.Notify != 0 {
		l.Add("notify", r.Notify.String())
	}
}

// Take reads a line that Add wrote; ok is false for another one.
func (r *Rcpt) Take(a attr.Attr) (ok bool, err error) {
	switch a.Name {
	case "orcpt":
		if r.Orcpt = a.Value; !validOrcpt(a.Value) {
			err = ErrOrcpt
		}
	case "notify":
		r.Notify, err = ParseNotify(a.Value)
	default:
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("%s: found %.100q: %w", a.Name, a.Value, err)
	}
	return true, nil
}
