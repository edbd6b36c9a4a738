package main

import (
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode"
)

// Fields that hold addresses, and those among them that -t takes recipients from
// (RFC 5322 3.6).
var (
	addressFields = []string{"From", "Sender", "Reply-To", "To", "Cc", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc"}
	rcptFields    = []string{"To", "Cc", "Bcc"}
	resentFields  = []string{"Resent-To", "Resent-Cc", "Resent-Bcc"}
	// dropped is for the mailer's eyes only, or does not belong to the message
	// yet or any more.
	dropped = []string{"Bcc", "Resent-Bcc", "Return-Path", "Content-Length"}
)

// recipients returns those that the header names. Where the message was sent
// again, they are who gets it now (RFC 5322 3.6.6).
func (l *letter) recipients() ([]string, error) {
	from := rcptFields
	for _, f := range l.fields {
		if f.is(resentFields...) {
			from = resentFields
		}
	}
	var all []string
	for _, f := range l.fields {
		if !f.is(from...) {
			continue
		}
		list, err := parseMailboxes(f.value())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// writeTo writes the message as it is sent. Bare addresses get domain, and a
// message without a From has it from sender and name.
func (l *letter) writeTo(w io.Writer, domain, sender, name string) error {
	hasFrom := false
	for _, f := range l.fields {
		hasFrom = hasFrom || f.is("From")
		if f.is(dropped...) {
			continue
		}
		line := f.line
		if f.is(addressFields...) && domain != "" {
			line = line[:len(line)-len(f.value())] + qualify(f.value(), domain)
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	if !hasFrom {
		if _, err := io.WriteString(w, fromField(sender, name, domain)+"\n"); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	_, err := io.Copy(w, l.text.text())
	return err
}

// fromField makes the field From for who sends.
func fromField(sender, name, domain string) string {
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	value := sender
	if name = phrase(name); name != "" {
		value = name + " <" + sender + ">"
	}
	if domain != "" {
		value = qualify(value, domain)
	}
	return "From: " + value
}

// phrase writes a person's name so that it can stand before an address
// (RFC 5322 3.2.5), one that is not ASCII as encoded words: nobody has asked for
// SMTPUTF8.
func phrase(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name))
	if !ascii(name) {
		return mime.BEncoding.Encode("utf-8", name) // RFC 2047 5 (3) allows few characters else
	}
	if !strings.ContainsAny(name, "()<>[]:;@\\,.\"") {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
