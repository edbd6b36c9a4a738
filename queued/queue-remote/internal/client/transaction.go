package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
	"posthorn/internal/handover"
	"posthorn/internal/verdict"
)

// Message is what one transaction sends.
type Message struct {
	From  addr.Address
	Rcpts []handover.Rcpt
	dsn.Mail
	UTF8     bool             // the sender asked for SMTPUTF8
	EightBit bool             // the sender declared BODY=8BITMIME
	Content  Content          // what Scan found
	Open     func() io.Reader // reads the message from its start
}

// Outcome is what a transaction came to.
type Outcome struct {
	// Verdicts has one verdict for each of Message.Rcpts.
	Verdicts []verdict.Verdict
	// Unable has true for those for whom the server was not asked, as it does
	// not offer what they or the message need. Another one may.
	Unable []bool
	// Unsure: the whole message went out and no reply came back. Some later
	// verdicts may belong to recipients who have it, and another host must
	// not be tried now.
	Unsure bool
	// Unheard: the connection broke before MAIL was answered, or the answer was
	// that the server leaves. On a connection that had been idle this says
	// nothing about the message.
	Unheard bool
	// DSN: the server was asked for the reports that the sender wants.
	DSN bool
	// Err is why the connection broke, for the log, or nil.
	Err error
}

// transaction is the state of one Send.
type transaction struct {
	c        *Conn
	m        Message
	verdicts []verdict.Verdict // Kind 0: accepted so far, or not asked yet
	todo     []int             // recipients that the server may be asked for
	heard    bool              // MAIL was answered
}

// maxGroup bounds what is written before replies are read (RFC 2920 3.1): both
// directions fit the buffers of any TCP, so that neither side waits for ever.
const (
	maxGroup      = 50
	maxGroupBytes = 4096
)

// Send transfers one message (RFC 5321 3.3). The connection can be used for
// another one afterwards unless it is Broken.
func (c *Conn) Send(m Message) Outcome {
	t := &transaction{c: c, m: m, verdicts: make([]verdict.Verdict, len(m.Rcpts))}
	if c.br.Buffered() > 0 {
		c.broken = true // A reply that nobody asked for: both sides are out of step.
	}
	t.check()
	unable := t.decided()
	var unsure bool
	var err error
	if len(t.todo) > 0 {
		unsure, err = t.run()
	}
	if err != nil {
		t.settle(lost(err))
	}
	_, reports := c.Ext("DSN")
	return Outcome{Verdicts: t.verdicts, Unable: unable, Unsure: unsure, Unheard: len(t.todo) > 0 && !t.heard, DSN: reports, Err: err}
}

// lost is the verdict for whoever waited when the connection broke.
func lost(err error) verdict.Verdict {
	text := "connection lost"
	switch {
	case errors.Is(err, errLocal):
		return verdict.Of(err)
	case errors.Is(err, errStopped):
		return verdict.New(verdict.Later, "4.3.2", "the mail system is stopping")
	case errors.Is(err, os.ErrDeadlineExceeded):
		text = "timed out"
	case errors.Is(err, ErrReply):
		text = "the server's reply breaks the rules"
	}
	step, _, _ := strings.Cut(err.Error(), ":")
	return verdict.New(verdict.Later, "4.4.2", text+" ("+step+")")
}

// settle gives v to every recipient that has no verdict.
func (t *transaction) settle(v verdict.Verdict) {
	for i := range t.verdicts {
		if t.verdicts[i].Kind == 0 {
			t.verdicts[i] = v
		}
	}
}

// check gives the verdicts that the server's extensions leave no choice about,
// before anything is sent.
func (t *transaction) check() {
	if v, ok := t.unfit(); ok {
		t.settle(v)
		return
	}
	_, utf8 := t.c.Ext("SMTPUTF8")
	for i, a := range t.m.Rcpts {
		if unsafe(a.Address) {
			t.verdicts[i] = verdict.Of(errUnsafe)
			continue
		}
		if a.UTF8() && !utf8 {
			t.verdicts[i] = verdict.New(verdict.Never, "5.6.7", "the address needs SMTPUTF8, which the host does not offer")
			continue
		}
		t.todo = append(t.todo, i)
	}
}

// decided has true for those who have a verdict.
func (t *transaction) decided() []bool {
	list := make([]bool, len(t.verdicts))
	for i, v := range t.verdicts {
		list[i] = v.Kind != 0
	}
	return list
}

// unfit says why the message cannot go to this server at all. It makes the
// message fit where that can be done.
func (t *transaction) unfit() (v verdict.Verdict, refused bool) {
	_, utf8 := t.c.Ext("SMTPUTF8")
	switch {
	case unsafe(t.m.From):
		return verdict.Of(errUnsafe), true
	case !utf8 && t.m.From.UTF8():
		return verdict.New(verdict.Never, "5.6.7", "the sender's address needs SMTPUTF8, which the host does not offer"), true
	case !utf8:
		if needs, err := t.needsUTF8Header(); err != nil {
			return verdict.Of(err), true
		} else if needs {
			return verdict.New(verdict.Never, "5.6.9", "the message's header needs SMTPUTF8, which the host does not offer"), true
		}
	}
	if v, refused = t.sevenBit(); refused {
		return v, true
	}
	if t.c.tooBig(t.m.Content.Size) {
		return verdict.New(verdict.Never, "5.3.4", "the message is larger than the host accepts"), true
	}
	return v, false
}

var errUnsafe = errors.New("address with a control character")

// unsafe holds that no address can end its command line early, whoever made it.
func unsafe(a addr.Address) bool {
	return strings.ContainsFunc(a.String(), func(r rune) bool { return r < ' ' || r == 0x7f })
}

// tooBig compares with the limit of RFC 1870; 0 means that there is none fixed.
func (c *Conn) tooBig(size int64) bool {
	params, _ := c.Ext("SIZE")
	limit, err := strconv.ParseInt(params, 10, 64)
	return err == nil && limit > 0 && size > limit
}

// MaxRcpts is how many recipients the server takes in one transaction when it
// says so (LIMITS, RFC 9422), else a number that is larger than ours.
func (c *Conn) MaxRcpts() int {
	limits, _ := c.Ext("LIMITS")
	for word := range strings.FieldsSeq(limits) {
		if value, ok := strings.CutPrefix(strings.ToUpper(word), "RCPTMAX="); ok {
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				return n
			}
		}
	}
	return 1 << 20
}

// run does the dialogue. An error means that the connection broke; the replies
// before it have been turned into verdicts.
func (t *transaction) run() (unsure bool, err error) {
	go354, err := t.envelope()
	if err != nil {
		return false, err
	}
	if len(t.accepted()) == 0 {
		t.abandon(go354)
		return false, nil
	}
	if !go354 {
		r, err := t.c.ask("DATA")
		if err != nil {
			return false, fmt.Errorf("DATA: %w", err)
		}
		if !t.answered(command{rcpt: isData}, r) {
			t.abandon(false)
			return false, nil
		}
	}
	return t.data()
}

// abandon leaves the server ready for another message after a transaction that
// came to nothing. After a 354 an empty message to nobody is the only way on
// (RFC 2920 3.1). Everybody has a verdict by now: what fails here only makes the
// connection useless.
func (t *transaction) abandon(go354 bool) {
	if go354 && t.c.o.LMTP { // RFC 2033 4.2 has no reply to a message for nobody
		t.c.Close()
		return
	}
	if go354 && !t.c.broken {
		if _, err := t.c.ask("."); err != nil {
			return
		}
	}
	if !t.c.broken {
		t.c.Reset()
	}
}

// Reset drops the transaction on the server (RFC 5321 4.1.1.5). A server that
// does not agree breaks the connection.
func (c *Conn) Reset() {
	r, err := c.ask("RSET")
	if err != nil || r.class() != 2 {
		c.broken = true
	}
}

func (t *transaction) accepted() []int {
	var list []int
	for _, i := range t.todo {
		if t.verdicts[i].Kind == 0 {
			list = append(list, i)
		}
	}
	return list
}

// command is one line of the envelope; rcpt is -1 for MAIL and -2 for DATA.
type command struct {
	line string
	rcpt int
}

const (
	isMail = -1
	isData = -2
)

// envelope sends MAIL, RCPT and, when the server takes them together, DATA.
// go354 says that DATA was answered by 354.
func (t *transaction) envelope() (go354 bool, err error) {
	_, pipelining := t.c.Ext("PIPELINING")
	queue := t.commands(pipelining)
	for len(queue) > 0 {
		n := group(queue, pipelining)
		go354, err = t.exchange(queue[:n])
		if err != nil || t.settled() {
			return go354, err
		}
		queue = queue[n:]
	}
	return go354, nil
}

// settled says that nothing more is to be asked: the server has left, or MAIL or
// every RCPT was refused.
func (t *transaction) settled() bool { return t.c.broken || len(t.accepted()) == 0 }

func (t *transaction) commands(pipelining bool) []command {
	queue := []command{{t.mail(), isMail}}
	for _, i := range t.todo {
		queue = append(queue, command{t.rcpt(t.m.Rcpts[i]), i})
	}
	if pipelining {
		queue = append(queue, command{"DATA", isData})
	}
	return queue
}

// group says how many of the commands go out together.
func group(queue []command, pipelining bool) int {
	if !pipelining {
		return 1
	}
	n, size := 0, 0
	for n < len(queue) && n < maxGroup && (n == 0 || size+len(queue[n].line) < maxGroupBytes) {
		size += len(queue[n].line) + 2
		n++
	}
	return n
}

// exchange sends a group of commands and reads a reply to each.
func (t *transaction) exchange(cmds []command) (go354 bool, err error) {
	var out []byte
	for _, cmd := range cmds {
		out = append(append(out, cmd.line...), '\r', '\n')
	}
	if err := t.c.send(out, t.c.o.Timeout); err != nil {
		return false, fmt.Errorf("%s: %w", cmds[0].name(), err)
	}
	for _, cmd := range cmds {
		r, err := t.c.reply(t.c.o.Timeout)
		if err != nil {
			return false, fmt.Errorf("%s: %w", cmd.name(), err)
		}
		go354 = t.answered(cmd, r)
		if t.c.broken { // Nothing that follows is an answer.
			t.settle(r.Verdict())
			return false, nil
		}
	}
	return go354, nil
}

func (cmd command) name() string {
	switch cmd.rcpt {
	case isMail:
		return "MAIL"
	case isData:
		return "DATA"
	}
	return "RCPT"
}

// answered takes the reply to one command of the envelope; go354 says that it
// asks for the message. A reply that has no place there means that both sides
// are out of step, and nothing after it would mean what it says.
func (t *transaction) answered(cmd command, r Reply) (go354 bool) {
	t.heard = t.heard || r.Code != 421
	switch {
	case cmd.rcpt == isData && r.Code == 354:
		return true
	case r.class() == 3, cmd.rcpt == isData && r.class() == 2:
		t.c.broken = true
		t.settle(unexpected(r))
	case r.class() == 2:
	case cmd.rcpt < 0:
		t.settle(r.Verdict())
	case t.verdicts[cmd.rcpt].Kind == 0:
		t.verdicts[cmd.rcpt] = r.rcptVerdict()
	}
	return false
}
