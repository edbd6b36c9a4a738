// Package verdict holds the three ways an attempt can end: done, later, never.
//
// Every daemon answers in these terms. What nobody classified is later: a bug
// or a full disk must not bounce mail.
package verdict

import (
	"errors"
	"fmt"
)

// Kind says what happens next to the message or recipient.
type Kind int

// The kinds. The zero Kind is none of them, so that a forgotten one shows.
const (
	Done  Kind = iota + 1 // finished, nothing more to do
	Later                 // try again
	Never                 // give up and tell the sender
)

var kindNames = [...]string{Done: "done", Later: "later", Never: "never"}

// String returns the word used in logs and protocols.
func (k Kind) String() string {
	if k < Done || k > Never {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return kindNames[k]
}

// ParseKind reads the word that String writes.
func ParseKind(s string) (Kind, error) {
	for k := Done; k <= Never; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("verdict %q: expected done, later or never", s)
}

// Verdict is the outcome of one attempt for one recipient or request.
type Verdict struct {
	Kind   Kind
	Status string // enhanced status code (RFC 3463), such as "4.2.2"
	Text   string // one line for the peer or the bounce; names no local path
}

// New returns a verdict.
func New(k Kind, status, text string) Verdict {
	return Verdict{Kind: k, Status: status, Text: text}
}

// Err returns v as an error, or nil when v is done.
func (v Verdict) Err() error {
	if v.Kind == Done {
		return nil
	}
	return &Error{Verdict: v}
}

// Error is a failure that somebody classified. Text is for the peer, Err for
// the log only.
type Error struct {
	Verdict
	Err error
}

// Fail returns a classified error.
func Fail(k Kind, status, text string, err error) *Error {
	return &Error{Verdict: New(k, status, text), Err: err}
}

// Error returns status and text, followed by the cause if there is one.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Status + " " + e.Text
	}
	return e.Status + " " + e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the verdict that err carries: done for nil, later for an error
// that nobody classified.
func Of(err error) Verdict {
	if err == nil {
		return New(Done, "2.0.0", "ok")
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Verdict
	}
	return New(Later, "4.3.0", "local problem, try again later")
}
