// Package event parses what a client asks to be told of (RFC 5465 section 8). Errors
// are those of package wire, for a BAD answer.
package event

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/scope"
	"posthorn/imapd/internal/wire"
)

// maxGroups bounds the groups of one NOTIFY, and maxEvents the events of a group.
const (
	maxGroups = 64
	maxEvents = 32
)

// Set is a set of kinds of events.
type Set uint8

// The events of RFC 5465 section 5 that there are here. Messages have no annotations,
// so AnnotationChange is not among them.
const (
	MessageNew Set = 1 << iota
	MessageExpunge
	FlagChange
	MailboxName
	SubscriptionChange
	MailboxMetadataChange
	ServerMetadataChange

	OfMessages = MessageNew | MessageExpunge | FlagChange
)

// Supported names the events that there are, for BADEVENT.
const Supported = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"

// Has reports whether any of some events is in the set.
func (e Set) Has(some Set) bool { return e&some != 0 }

// Group is the events that a client wants of some mailboxes.
type Group struct {
	scope.Filter
	Events  Set
	Fetches bool // new messages are told with Fetch
	Fetch   query.Fetch
}

// Notify is a parsed NOTIFY.
type Notify struct {
	Status  bool    // STATUS is to be told at once
	Groups  []Group // none: NOTIFY NONE
	Unknown bool    // some event is not among those that there are
}

// Parse takes the arguments of NOTIFY.
func Parse(s *wire.Scanner) (n Notify, err error) {
	switch s.Word() {
	case "NONE":
		return n, s.End()
	case "SET":
	default:
		return n, bad("expected SET or NONE")
	}
	if s.AcceptText(" STATUS") {
		n.Status = true
	}
	selected := false
	for n.Groups == nil || s.Accept(' ') {
		if n.Groups == nil {
			if err := s.Space(); err != nil {
				return n, err
			}
		}
		g, err := n.group(s)
		switch {
		case err != nil:
			return n, err
		case g.ofSelected() && selected: // RFC 5465 section 6.1
			return n, bad("SELECTED and SELECTED-DELAYED exclude each other")
		case len(n.Groups) == maxGroups:
			return n, bad("too many groups of events")
		}
		selected = selected || g.ofSelected()
		n.Groups = append(n.Groups, g)
	}
	return n, s.End()
}

// ofSelected reports whether the group is of the selected mailbox.
func (g Group) ofSelected() bool {
	return g.Kind == scope.Selected || g.Kind == scope.SelectedDelayed
}

// group takes a filter with its events.
func (n *Notify) group(s *wire.Scanner) (g Group, err error) {
	if err := s.Expect('('); err != nil {
		return g, err
	}
	g.Filter, err = scope.Parse(s)
	if err == nil && g.Kind == scope.SubtreeOne {
		err = bad("subtree-one is for ESEARCH")
	}
	if err == nil {
		err = s.Space()
	}
	if err != nil {
		return g, err
	}
	if !s.AcceptText("NONE") {
		err = n.events(s, &g)
	}
	if err == nil {
		err = s.Expect(')')
	}
	return g, err
}

// events takes the events of a group.
func (n *Notify) events(s *wire.Scanner, g *Group) error {
	given := false
	err := s.List(maxEvents, func() error {
		given = true
		one := named(s.Word())
		g.Events |= one
		switch {
		case one == 0:
			n.Unknown = true
			return skip(s)
		case one == MessageNew:
			return g.fetch(s)
		}
		return nil
	})
	messages := g.Events & OfMessages
	switch {
	case err != nil:
		return err
	case !given:
		return bad("no events")
	case g.ofSelected() && g.Events != messages: // RFC 5465 section 6.1
		return bad("events of the selected mailbox are those of messages")
	case messages != 0 && messages&(MessageNew|MessageExpunge) != MessageNew|MessageExpunge: // RFC 5465 section 5
		return bad("MessageNew and MessageExpunge belong together, and to FlagChange")
	}
	return nil
}

// fetch takes what is to be told of new messages, if that is said.
func (g *Group) fetch(s *wire.Scanner) (err error) {
	look := *s
	if !look.AcceptText(" (") {
		return nil
	}
	if !g.ofSelected() {
		return bad("data of new messages are told of the selected mailbox only") // RFC 5465 section 8
	}
	if err := s.Space(); err != nil {
		return err
	}
	g.Fetches = true
	g.Fetch, err = query.ParseFetch(s)
	return err
}

// skip takes the rest of the name of an unknown event.
func skip(s *wire.Scanner) error {
	if c := s.Peek(); c == ' ' || c == ')' {
		return nil
	}
	_, err := s.Atom()
	return err
}

// named returns the event of a name, 0 if there is none.
func named(word string) Set {
	switch word {
	case "MESSAGENEW":
		return MessageNew
	case "MESSAGEEXPUNGE":
		return MessageExpunge
	case "FLAGCHANGE":
		return FlagChange
	case "MAILBOXNAME":
		return MailboxName
	case "SUBSCRIPTIONCHANGE":
		return SubscriptionChange
	case "MAILBOXMETADATACHANGE":
		return MailboxMetadataChange
	case "SERVERMETADATACHANGE":
		return ServerMetadataChange
	}
	return 0
}

func bad(text string) error { return &wire.SyntaxError{Text: text} }
