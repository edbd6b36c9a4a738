package conf

import (
	"fmt"
	"strconv"
	"strings"

	"posthorn/internal/uidl"
)

// POP3 is how POP3 clients know messages, and what becomes of those that they
// fetch and delete.
type POP3 struct {
	UIDL   uidl.Format
	Mark   bool // what was fetched is marked as seen
	Expire int  // days after which what was fetched is removed; 0: never
	Hide   bool // what is deleted is hidden from POP3, and stays for IMAP
}

// pop3Expire bounds the days.
const pop3Expire = 3650

// With returns p with what a list of name=value, with commas between, says
// otherwise:
//
//	uidl=TEMPLATE          see package uidl
//	fetched=keep|seen|Nd   stays as it is; is marked as seen; and is removed N days later
//	deleted=remove|hide    at QUIT
func (p POP3) With(list string) (POP3, error) {
	if list == "" {
		return p, nil
	}
	for pair := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(pair, "=")
		if err := p.set(name, value); err != nil {
			return POP3{}, err
		}
	}
	return p, nil
}

func (p *POP3) set(name, value string) (err error) {
	switch name {
	case "uidl":
		p.UIDL, err = uidl.Parse(value)
	case "fetched":
		err = p.setFetched(value)
	case "deleted":
		if value != "remove" && value != "hide" {
			return fmt.Errorf("found deleted=%.40q, expected remove or hide", value)
		}
		p.Hide = value == "hide"
	default:
		err = fmt.Errorf("found %.40q, expected uidl=, fetched= or deleted=", name)
	}
	return err
}

func (p *POP3) setFetched(value string) error {
	p.Mark, p.Expire = value != "keep", 0
	if value == "keep" || value == "seen" {
		return nil
	}
	digits, isDays := strings.CutSuffix(value, "d")
	n, err := strconv.Atoi(digits)
	if !isDays || err != nil || n < 1 || n > pop3Expire {
		return fmt.Errorf("found fetched=%.40q, expected keep, seen or days such as 30d, at most %dd", value, pop3Expire)
	}
	p.Expire = n
	return nil
}

// setPOP3 takes the directive, whose options are those of With.
func setPOP3(c *Config, l line) error {
	for _, o := range l.options {
		l.values = append(l.values, o.name+"="+o.value)
	}
	if len(l.values) == 0 {
		return fmt.Errorf("found nothing, expected options such as fetched=30d")
	}
	for _, v := range l.values {
		p, err := c.POP3.With(v)
		if err != nil {
			return err
		}
		c.POP3 = p
	}
	return nil
}
