package client

import (
	"strconv"
	"strings"

	"posthorn/internal/dsn"
	"posthorn/internal/handover"
)

// mail is the MAIL command with the parameters that the server knows.
func (t *transaction) mail() string {
	var b strings.Builder
	b.WriteString("MAIL FROM:<" + t.m.From.String() + ">")
	if _, ok := t.c.Ext("SIZE"); ok {
		b.WriteString(" SIZE=" + strconv.FormatInt(t.m.Content.Size, 10))
	}
	found := t.m.Content
	if _, ok := t.c.Ext("8BITMIME"); ok && (t.m.EightBit || found.Body8Bit || found.HeaderUTF8) {
		b.WriteString(" BODY=8BITMIME")
	}
	if _, ok := t.c.Ext("SMTPUTF8"); ok && t.needsUTF8() {
		b.WriteString(" SMTPUTF8")
	}
	if _, ok := t.c.Ext("DSN"); ok && t.m.Ret != "" {
		b.WriteString(" RET=" + strings.ToUpper(string(t.m.Ret)))
	}
	if _, ok := t.c.Ext("DSN"); ok && t.m.Envid != "" {
		b.WriteString(" ENVID=" + dsn.Xtext(t.m.Envid))
	}
	return b.String()
}

// rcpt is the RCPT command, with what the server can be asked of reports.
func (t *transaction) rcpt(r handover.Rcpt) string {
	line := "RCPT TO:<" + r.String() + ">"
	if _, ok := t.c.Ext("DSN"); !ok {
		return line
	}
	if r.Notify != 0 {
		line += " NOTIFY=" + strings.ToUpper(r.Notify.String())
	}
	_, utf8 := t.c.Ext("SMTPUTF8")
	if orcpt := dsn.Orcpt(r.Orcpt, utf8 && t.needsUTF8()); r.Orcpt != "" && len(orcpt) <= dsn.MaxOrcpt {
		line += " ORCPT=" + orcpt
	}
	return line
}

// needsUTF8 decides for a server that offers SMTPUTF8: a message for which the
// sender asked for it and that is ASCII all the same goes without. The header of
// a part inside may be UTF-8 too, so bytes of the body count here.
func (t *transaction) needsUTF8() bool {
	found := t.m.Content
	if t.m.From.UTF8() || t.m.UTF8 && (found.HeaderUTF8 || found.Body8Bit) {
		return true
	}
	for _, i := range t.todo {
		if t.m.Rcpts[i].UTF8() {
			return true
		}
	}
	return false
}
