package main

import (
	"strconv"
	"strings"
	"time"
)

// progressEvery is how often a client hears of a command that takes long.
const progressEvery = 10 * time.Second

// stride is after how many messages the clock is looked at.
const stride = 16

// progress tells the client how far a command has come (RFC 9585).
type progress struct {
	*Session
	tag  string
	goal int
	at   int
	next time.Time
}

// progress returns that of a search through all messages.
func (f *finder) progress() *progress {
	p := &progress{Session: f.Session, tag: f.tag, goal: f.view.Len()}
	if f.limits.report == 0 || !f.offers("INPROGRESS") {
		p.tag = ""
	}
	p.next = time.Now().Add(f.limits.report)
	return p
}

// done counts n more messages. Its error is that of a client that went away.
func (p *progress) done(n int) error {
	p.at += n
	if p.tag == "" || p.at%stride != 0 || p.at >= p.goal || !p.due() {
		return nil
	}
	tag := `"` + p.tag + `"`
	if strings.Contains(p.tag, "]") {
		tag = "NIL" // it would end the code (RFC 9585)
	}
	p.w.Raw("* OK [INPROGRESS (", tag, " ", strconv.Itoa(p.at), " ", strconv.Itoa(p.goal), ")] still searching\r\n")
	if err := p.w.Flush(); err != nil {
		return broken{err}
	}
	return nil
}

// due reports whether it is time, and begins the next wait.
func (p *progress) due() bool {
	now := time.Now()
	if now.Before(p.next) {
		return false
	}
	p.next = now.Add(p.limits.report)
	return true
}
