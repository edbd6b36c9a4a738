package event

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/wire"
)

func (n Notify) String() string {
	var out []string
	if n.Status {
		out = append(out, "STATUS")
	}
	for _, g := range n.Groups {
		one := fmt.Sprintf("%d%v %x", g.Kind, g.Names, g.Events)
		if g.Fetches {
			one += fmt.Sprintf(" %d+%d", g.Fetch.Items, len(g.Fetch.Sections))
		}
		out = append(out, one)
	}
	if n.Unknown {
		out = append(out, "unknown")
	}
	return strings.Join(out, "; ")
}

func TestParse(t *testing.T) {
	const together = "MessageNew and MessageExpunge belong together, and to FlagChange"
	for _, tt := range []struct{ in, want string }{
		// RFC 5465 sections 3.1 and 5.
		{"NONE", ""},
		{"SET STATUS (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree Lists (MessageNew MessageExpunge))", `expected "("`},
		{"SET STATUS (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))", "STATUS; 1[] 3 2+1; 6[Lists] 3"},
		{"set (Selected (MessageNew MessageExpunge FlagChange)) (Personal (MailboxName SubscriptionChange))", "1[] 7; 4[] 18"},
		{"SET (INBOXES NONE) (mailboxes (a b) (MailboxMetadataChange ServerMetadataChange))", "3[] 0; 8[a b] 60"},
		{"SET (selected-delayed NONE)", "2[] 0"},
		{"SET (personal (MessageNew MessageExpunge AnnotationChange X-Foo_Bar!))", "4[] 3; unknown"},
		{"SET (personal (MessageNew))", together},
		{"SET (personal (MessageExpunge FlagChange))", together},
		{"SET (personal (FlagChange))", together},
		{"SET (selected (MessageNew MessageExpunge MailboxName))", "events of the selected mailbox are those of messages"},
		{"SET (selected NONE) (selected-delayed NONE)", "SELECTED and SELECTED-DELAYED exclude each other"},
		{"SET (personal (MessageNew (UID) MessageExpunge))", "data of new messages are told of the selected mailbox only"},
		{"SET (subtree-one a NONE)", "subtree-one is for ESEARCH"},
		{"SET (personal ())", "no events"},
		{"SET STATUS", "missing argument"},
		{"SET", "missing argument"},
		{"GET", "expected SET or NONE"},
		{"NONE x", "unexpected argument"},
		{"SET (personal NONE) x", `expected "("`},
	} {
		n, err := Parse(wire.NewScanner([]byte(tt.in)))
		got := n.String()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func FuzzNotify(f *testing.F) {
	for _, s := range []string{
		"NONE", "SET STATUS (selected (MessageNew (uid) MessageExpunge FlagChange)) (personal NONE)",
		"SET (subtree (a b) (MailboxName)) (mailboxes x (AnnotationChange))",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n, err := Parse(wire.NewScanner([]byte(in)))
		if len(n.Groups) > maxGroups {
			t.Fatalf("got %d groups", len(n.Groups))
		}
		for _, g := range n.Groups {
			if err == nil && g.Events.Has(OfMessages) && (!g.Events.Has(MessageNew) || !g.Events.Has(MessageExpunge)) {
				t.Fatalf("got %v", n)
			}
		}
	})
}
