package client

import (
	"strings"
	"testing"

	"posthorn/internal/dsn"
	"posthorn/internal/handover"
)

func TestParameters(t *testing.T) {
	tests := []struct {
		name, text, from, rcpt string
		ext                    []string
		utf8, eight            bool
		mail, to               string
	}{
		{"lower-case keywords", text, "a@x.example", "b@y.example", []string{"size 5000", "8bitmime"}, false, true, "<a@x.example> SIZE=21 BODY=8BITMIME", "b@y.example"},
		{"8-bit text that nobody declared", "\r\n\xe4\r\n", "a@x.example", "b@y.example", []string{"8BITMIME"}, false, false, "<a@x.example> BODY=8BITMIME", "b@y.example"},
		{"declared, but not offered, nor needed", text, "a@x.example", "b@y.example", nil, false, true, "<a@x.example>", "b@y.example"},
		{"null sender", text, "", "b@y.example", nil, false, false, "<>", "b@y.example"},
		{"quoted local part", text, `"x> NOTIFY=NEVER"@x.example`, `"b c"@y.example`, nil, false, false, `<"x> NOTIFY=NEVER"@x.example>`, `"b c"@y.example`},
		{"SMTPUTF8 asked for, not needed", text, "a@x.example", "b@y.example", []string{"SMTPUTF8", "8BITMIME"}, true, false, "<a@x.example>", "b@y.example"},
		{"SMTPUTF8 asked for, neither needed nor offered", text, "a@x.example", "b@y.example", []string{"8BITMIME"}, true, false, "<a@x.example>", "b@y.example"},
		{"SMTPUTF8 asked for, UTF-8 in the text, not offered", "A: b\r\n\r\n\u00e4\r\n", "a@x.example", "b@y.example", []string{"8BITMIME"}, true, false, "<a@x.example> BODY=8BITMIME", "b@y.example"},
		{"SMTPUTF8 asked for, perhaps needed by a part", "A: b\r\n\r\nä\r\n", "a@x.example", "b@y.example", []string{"SMTPUTF8", "8BITMIME"}, true, false, "<a@x.example> BODY=8BITMIME SMTPUTF8", "b@y.example"},
		{"8-bit header that is not said to be UTF-8", "A: \xe4\r\n\r\n", "a@x.example", "b@y.example", []string{"SMTPUTF8", "8BITMIME"}, false, false, "<a@x.example> BODY=8BITMIME", "b@y.example"},
		{"SMTPUTF8 for an alias", text, "a@x.example", "ä@y.example", []string{"SMTPUTF8", "8BITMIME"}, false, false, "<a@x.example> SMTPUTF8", "ä@y.example"},
		{"UTF-8 header to a host that can", "A: ä\r\n\r\n", "a@x.example", "b@y.example", []string{"SMTPUTF8", "8BITMIME"}, true, false, "<a@x.example> BODY=8BITMIME SMTPUTF8", "b@y.example"},
		{"no fixed size limit", text, "a@x.example", "b@y.example", []string{"SIZE 0"}, false, false, "<a@x.example> SIZE=21", "b@y.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, hello(tt.ext...)+"C: MAIL FROM:"+tt.mail+"\nS: 250 ok\nC: RCPT TO:<"+tt.to+">\nS: 250 ok\nC: DATA\nS: 354 go\nM:\nS: 250 ok")
			m := message(t, tt.text, tt.rcpt)
			m.From, m.UTF8, m.EightBit = address(t, tt.from), tt.utf8, tt.eight
			if got := outcome(greeted(t, at).Send(m)); got != "done 2.0.0 250 ok" {
				t.Errorf("got %s, want done", got)
			}
			wait()
		})
	}
}

// What the sender asked of reports goes to a host that announces DSN, and to no
// other.
func TestReportsAskedFor(t *testing.T) {
	plain, far := handover.Rcpt{Address: address(t, "b@y.example")}, handover.Rcpt{Address: address(t, "ä@y.example")}
	asked := plain
	asked.Rcpt = dsn.Rcpt{Orcpt: "rfc822;b+c@z.example", Notify: dsn.Success | dsn.Failure | dsn.Delay}
	far.Rcpt = dsn.Rcpt{Orcpt: "utf-8;ä@z.example"}
	long := plain
	long.Rcpt = dsn.Rcpt{Orcpt: "utf-8;" + strings.Repeat("ä", 200), Notify: dsn.Never}
	all := dsn.Mail{Ret: dsn.Full, Envid: "an id+1"}
	tests := []struct {
		name     string
		ext      []string
		asked    dsn.Mail
		rcpt     handover.Rcpt
		mail, to string
		dsn      bool
	}{
		{"not offered", nil, all, asked, "<a@x.example>", "<b@y.example>", false},
		{"offered", []string{"dsn"}, all, asked, "<a@x.example> RET=FULL ENVID=an+20id+2B1", "<b@y.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b+2Bc@z.example", true},
		{"not asked", []string{"DSN"}, dsn.Mail{}, plain, "<a@x.example>", "<b@y.example>", true},
		{"headers", []string{"DSN"}, dsn.Mail{Ret: dsn.Hdrs}, plain, "<a@x.example> RET=HDRS", "<b@y.example>", true},
		{"UTF-8", []string{"DSN", "8BITMIME", "SMTPUTF8"}, dsn.Mail{}, far, "<a@x.example> SMTPUTF8", "<ä@y.example> ORCPT=utf-8;ä@z.example", true},
		{"longer in ASCII than it may be", []string{"DSN"}, dsn.Mail{}, long, "<a@x.example>", "<b@y.example> NOTIFY=NEVER", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, hello(tt.ext...)+"C: MAIL FROM:"+tt.mail+"\nS: 250 ok\nC: RCPT TO:"+tt.to+"\nS: 250 ok\nC: DATA\nS: 354 go\nM:\nS: 250 ok")
			m := message(t, text)
			m.Mail, m.Rcpts = tt.asked, []handover.Rcpt{tt.rcpt}
			o := greeted(t, at).Send(m)
			if got := outcome(o); got != "done 2.0.0 250 ok" || o.DSN != tt.dsn {
				t.Errorf("got %s, DSN %t, want done, %t", got, o.DSN, tt.dsn)
			}
			wait()
		})
	}
}
