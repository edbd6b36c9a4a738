package handover

import (
	"fmt"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// RemoteProto is the protocol of remote.sock.
const RemoteProto = "posthorn-remote/1"

// Limits of one request; its answer fits one list then.
const (
	MaxRemoteRcpts = 500
	MaxHosts       = 100
)

// Host is one place to try: a name, looked up by queue-remote, or an IP
// address, and a port; with LMTP also the path of a Unix socket, without a port.
type Host struct{ Name, Port string }

// RemoteRequest asks to send one message to one destination.
type RemoteRequest struct {
	ID           string
	Try          int
	From         addr.Address
	Body         string // 7bit or 8bitmime
	UTF8         bool   // the sender asked for SMTPUTF8
	dsn.Mail            // what he asked of reports
	Offset, Size int64
	Destination  string // what the destination is called in the log
	Hosts        []Host // in the order in which they are tried
	TLS          string // may, require, none or implicit
	Login        string // "user:password" for a smarthost, or ""
	CAFile       string // whose certificates count for require; "" for the system's
	LMTP         bool   // RFC 2033 instead of SMTP
	Rcpts        []Rcpt
}

// Rcpt is a recipient with the reports that its host is to be asked for.
type Rcpt struct {
	addr.Address
	dsn.Rcpt
}

// RcptResult is what became of one recipient.
type RcptResult struct {
	Rcpt    string
	Verdict verdict.Verdict
	Host    string // the host that spoke, as "name[address]", or ""
	DSN     bool   // the host has taken the message and what was asked of reports
}

// RemoteResult is the answer to a RemoteRequest.
type RemoteResult struct {
	Reached bool // a host of the list spoke SMTP with us
	Rcpts   []RcptResult
}

// Encode returns the request as it goes over the socket.
func (r RemoteRequest) Encode() attr.List {
	l := make(attr.List, 0, 15+2*len(r.Hosts)+3*len(r.Rcpts))
	l.Add("proto", RemoteProto)
	l.Add("request", "send")
	addCommon(&l, r.ID, r.Try, r.From)
	l.Add("body", r.Body)
	l.Add("utf8", yesNo(r.UTF8))
	r.Mail.Add(&l)
	l.AddInt("offset", r.Offset)
	l.AddInt("size", r.Size)
	l.Add("destination", r.Destination)
	for _, h := range r.Hosts {
		l.Add("host", h.Name)
		l.Add("port", h.Port)
	}
	l.Add("tls", r.TLS)
	l.Add("login", r.Login)
	l.Add("cafile", r.CAFile)
	if r.LMTP {
		l.Add("protocol", "lmtp")
	}
	for _, rcpt := range r.Rcpts {
		l.Add("rcpt", rcpt.String())
		rcpt.Rcpt.Add(&l)
	}
	return l
}

// DecodeRemote reads what Encode wrote.
func DecodeRemote(l attr.List) (RemoteRequest, error) {
	if got := l.Get("request"); got != "send" {
		return RemoteRequest{}, fmt.Errorf("found request %.40q, expected send", got)
	}
	r := RemoteRequest{
		Body: l.Get("body"), Destination: l.Get("destination"),
		TLS: l.Get("tls"), Login: l.Get("login"), CAFile: l.Get("cafile"),
	}
	var err error
	if r.ID, r.Try, r.From, err = readCommon(l); err != nil {
		return RemoteRequest{}, err
	}
	if r.Offset, r.Size, err = readPlace(l); err != nil {
		return RemoteRequest{}, err
	}
	if r.UTF8, err = readYesNo(l, "utf8"); err != nil {
		return RemoteRequest{}, err
	}
	return r, r.readLists(l)
}

// readLists reads hosts and recipients and checks what is a closed list.
func (r *RemoteRequest) readLists(l attr.List) error {
	switch r.TLS {
	case "may", "require", "none", "implicit":
	default:
		return fmt.Errorf("tls: found %.40q, expected may, require, none or implicit", r.TLS)
	}
	switch p := l.Get("protocol"); p {
	case "", "smtp":
	case "lmtp":
		r.LMTP = true
	default:
		return fmt.Errorf("protocol: found %.40q, expected smtp or lmtp", p)
	}
	if r.Body != "7bit" && r.Body != "8bitmime" {
		return fmt.Errorf("body: found %.40q, expected 7bit or 8bitmime", r.Body)
	}
	for _, g := range sock.Groups(l, "host") {
		r.Hosts = append(r.Hosts, Host{Name: g.Get("host"), Port: g.Get("port")})
	}
	if len(r.Hosts) == 0 || len(r.Hosts) > MaxHosts {
		return fmt.Errorf("found %d hosts, expected 1 to %d", len(r.Hosts), MaxHosts)
	}
	for _, a := range l {
		if _, err := r.Mail.Take(a); err != nil {
			return err
		}
	}
	rcpts := sock.Groups(l, "rcpt")
	if len(rcpts) == 0 || len(rcpts) > MaxRemoteRcpts {
		return fmt.Errorf("found %d recipients, expected 1 to %d", len(rcpts), MaxRemoteRcpts)
	}
	for _, g := range rcpts {
		rcpt, err := readRcpt(g)
		if err != nil {
			return fmt.Errorf("rcpt: %w", err)
		}
		r.Rcpts = append(r.Rcpts, rcpt)
	}
	return nil
}

func readRcpt(g attr.List) (r Rcpt, err error) {
	if r.Address, err = addr.Parse(g.Get("rcpt")); err != nil {
		return r, err
	}
	for _, a := range g {
		if _, err := r.Take(a); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Credentials splits Login at its first colon.
func (r RemoteRequest) Credentials() (user, password string) {
	user, password, _ = strings.Cut(r.Login, ":")
	return user, password
}

// Encode returns the answer to a request that was understood.
func (r RemoteResult) Encode() attr.List {
	l := sock.Reply(verdict.Of(nil))
	l.Add("reached", yesNo(r.Reached))
	for _, rcpt := range r.Rcpts {
		l.Add("rcpt", rcpt.Rcpt)
		l = append(l, sock.Reply(rcpt.Verdict)...)
		l.Add("host", rcpt.Host)
		l.Add("dsn", yesNo(rcpt.DSN))
	}
	return l
}

// DecodeRemoteResult reads an answer. One that refuses the request as a whole
// is returned as a *verdict.Error.
func DecodeRemoteResult(l attr.List) (RemoteResult, error) {
	if err := refusal(l); err != nil {
		return RemoteResult{}, err
	}
	reached, err := readYesNo(l, "reached")
	if err != nil {
		return RemoteResult{}, err
	}
	r := RemoteResult{Reached: reached}
	for _, g := range sock.Groups(l, "rcpt") {
		v, err := sock.Verdict(g)
		if err != nil {
			return RemoteResult{}, fmt.Errorf("rcpt %.100q: %w", g.Get("rcpt"), err)
		}
		taken, err := readYesNo(g, "dsn")
		if err != nil {
			return RemoteResult{}, fmt.Errorf("rcpt %.100q: %w", g.Get("rcpt"), err)
		}
		r.Rcpts = append(r.Rcpts, RcptResult{Rcpt: g.Get("rcpt"), Verdict: v, Host: g.Get("host"), DSN: taken})
	}
	return r, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func readYesNo(l attr.List, name string) (bool, error) {
	switch v := l.Get(name); v {
	case "yes":
		return true, nil
	case "no":
		return false, nil
	default:
		return false, fmt.Errorf("%s: found %.40q, expected yes or no", name, v)
	}
}
