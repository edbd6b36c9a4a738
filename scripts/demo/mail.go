package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"

	"posthorn/test/instance"
)

const subject = "Mail goes through"

// selfSigned is right for this instance only: its certificate was made a
// moment ago on loopback.
var selfSigned = &tls.Config{InsecureSkipVerify: true}

// submit sends one message as ann.
func submit(addr string, to []string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.StartTLS(selfSigned); err != nil {
		return err
	}
	if err := c.Auth(smtp.PlainAuth("", ann, instance.Password, "127.0.0.1")); err != nil {
		return err
	}
	if err := c.Mail(ann); err != nil {
		return err
	}
	for _, rcpt := range to {
		if err := c.Rcpt(rcpt); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From: Ann <%s>\r\nTo: %s\r\nSubject: %s\r\n\r\nMail goes through.\r\n", ann, strings.Join(to, ", "), subject)
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// dialTLS connects with a deadline that bounds the whole conversation.
func dialTLS(addr string) (*textproto.Conn, error) {
	c, err := tls.Dial("tcp", addr, selfSigned)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return textproto.NewConn(c), nil
}

// fetchIMAP returns the message in bob's INBOX, or "" when it is empty.
func fetchIMAP(_ context.Context, i *instance.Instance) (string, error) {
	c, err := dialTLS(i.Addr["imaps"])
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.ReadLine(); err != nil {
		return "", err
	}
	if _, err := imap(c, "a LOGIN %s %s", bob, instance.Password); err != nil {
		return "", err
	}
	answer, err := imap(c, "b SELECT INBOX")
	if err != nil || strings.Contains(answer, "* 0 EXISTS") {
		return "", err
	}
	text, err := imap(c, "c FETCH 1 (FLAGS BODY[])")
	imap(c, "d LOGOUT")
	return text, err
}

// imap sends one command and returns the untagged lines of its answer.
func imap(c *textproto.Conn, format string, args ...any) (string, error) {
	command := fmt.Sprintf(format, args...)
	tag, _, _ := strings.Cut(command, " ")
	if err := c.PrintfLine("%s", command); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		line, err := c.ReadLine()
		if err != nil {
			return "", err
		}
		if status, ok := strings.CutPrefix(line, tag+" "); ok {
			if !strings.HasPrefix(status, "OK") {
				return "", fmt.Errorf("IMAP: %s", status)
			}
			return b.String(), nil
		}
		b.WriteString(line + "\n")
	}
}

// fetchPOP3 returns bob's first message, or "" when there is none.
func fetchPOP3(_ context.Context, i *instance.Instance) (string, error) {
	c, err := dialTLS(i.Addr["pop3s"])
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.ReadLine(); err != nil {
		return "", err
	}
	for _, command := range []string{"USER " + bob, "PASS " + instance.Password, "STAT", "RETR 1"} {
		if err := c.PrintfLine("%s", command); err != nil {
			return "", err
		}
		line, err := c.ReadLine()
		if err != nil {
			return "", err
		}
		if command == "STAT" && strings.HasPrefix(line, "+OK 0 ") {
			return "", nil
		}
		if !strings.HasPrefix(line, "+OK") {
			return "", fmt.Errorf("POP3: %s", line)
		}
	}
	text, err := c.ReadDotBytes()
	c.PrintfLine("QUIT")
	return string(text), err
}

// fetchSink returns what the foreign host took, or "".
func fetchSink(_ context.Context, i *instance.Instance) (string, error) {
	names, err := filepath.Glob(filepath.Join(i.SinkDir, "*.msg"))
	if err != nil || len(names) == 0 {
		return "", err
	}
	text, err := os.ReadFile(names[0])
	return string(text), err
}

func indent(text string) string {
	var b strings.Builder
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		b.WriteString("    " + in.Text() + "\n")
	}
	return b.String()
}

// explain prints how to connect, and writes the same as shell variables.
func explain(i *instance.Instance) error {
	var env strings.Builder
	fmt.Fprintf(&env, "DOMAIN=%s\nUSER1=%s\nUSER2=%s\nPASSWORD=%s\nCONF=%s\n",
		instance.Domain, ann, bob, instance.Password, filepath.Join(i.Dir, "posthorn.conf"))
	for _, s := range instance.Services {
		host, port, _ := strings.Cut(i.Addr[s], ":")
		name := strings.ToUpper(s)
		fmt.Fprintf(&env, "%s_HOST=%s\n%s_PORT=%s\n", name, host, name, port)
	}
	if err := os.WriteFile(filepath.Join(i.Dir, "env"), []byte(env.String()), 0o644); err != nil {
		return err
	}
	printHelp(os.Stdout, i)
	return nil
}

func printHelp(w io.Writer, i *instance.Instance) {
	a := i.Addr
	fmt.Fprintf(w, `
The server runs; accounts %s and %s, password %q (%s is for a scratch server only).

    SMTP %s   submission %s (STARTTLS) %s (TLS)
    IMAP %s (STARTTLS) %s (TLS)   POP3 %s (STLS) %s (TLS)

Try:
    swaks --server %s --from someone@%s --to %s
    swaks --server %s --tls --auth PLAIN --auth-user %s --auth-password %s --from %s --to %s
    curl -k --user %s:%s 'imaps://%s/INBOX;MAILINDEX=1'
    curl -k --user %s:%s pop3s://%s/1
    %s/posthorn -c %s/posthorn.conf queue list

The same as shell variables: %s/env    The log: %s/log
`,
		ann, bob, instance.Password, instance.Password,
		a["smtp"], a["submission"], a["submissions"], a["imap"], a["imaps"], a["pop3"], a["pop3s"],
		a["smtp"], instance.Foreign, bob,
		a["submission"], ann, instance.Password, ann, bob,
		bob, instance.Password, a["imaps"], bob, instance.Password, a["pop3s"],
		i.Bin, i.Dir, i.Dir, i.Dir)
}
