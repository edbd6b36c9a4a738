package mime

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// orders are commands whose answer is an order of messages.
var orders = []string{
	"UID SORT (ARRIVAL)", "UID SORT (SIZE)", "UID SORT (REVERSE SIZE)", "UID SORT (DATE)", "UID SORT (REVERSE DATE)",
	"UID SORT (SUBJECT)", "UID SORT (REVERSE SUBJECT SIZE)", "UID SORT (FROM)", "UID SORT (TO)", "UID SORT (CC)",
	"UID SORT (DISPLAYFROM)", "UID SORT (DISPLAYTO)", "UID SORT (DISPLAYTO REVERSE SUBJECT DATE)",
	"UID THREAD ORDEREDSUBJECT", "UID THREAD REFERENCES", "UID THREAD REFS",
}

// TestDovecotOrders asks our server and Dovecot to order the same messages: all
// but those that the table names, and with these each by itself, which has to
// differ then.
func TestDovecotOrders(t *testing.T) {
	messages := load(t)
	theirs, mine := dovecot(t, messages), ours(t, messages)
	for _, command := range orders {
		out := others(t, command, messages)
		got, want := ordered(t, mine, command, len(messages), out), ordered(t, theirs, command, len(messages), out)
		if got != want {
			t.Errorf("%s:\nours    %s\ndovecot %s", command, got, want)
		}
		for _, uid := range out {
			rest := slices.DeleteFunc(slices.Clone(out), func(n int) bool { return n == uid })
			if ordered(t, mine, command, len(messages), rest) == ordered(t, theirs, command, len(messages), rest) {
				t.Errorf("%s: %s: in the table of differences, but nothing differs", command, messages[uid-1].Name)
			}
		}
	}
}

// others returns the UIDs of messages that the table names for a command.
func others(t *testing.T, command string, messages []Message) (uids []int) {
	if *corpus != "" {
		return nil
	}
	for _, d := range unequal {
		if !regexp.MustCompile(d.in).MatchString(command) {
			continue
		}
		for _, name := range d.names {
			i := slices.IndexFunc(messages, func(m Message) bool { return m.Name == name })
			if i < 0 {
				t.Fatalf("%s: no such message", name)
			}
			uids = append(uids, i+1)
		}
	}
	return uids
}

// ordered returns the order of all messages but some.
func ordered(t *testing.T, c *client, command string, n int, but []int) string {
	t.Helper()
	var set []string
	for uid := range n {
		if !slices.Contains(but, uid+1) {
			set = append(set, fmt.Sprint(uid+1))
		}
	}
	responses, err := c.ask(command + " UTF-8 UID " + strings.Join(set, ","))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range responses {
		if len(r) > 1 && (r[1] == atom("SORT") || r[1] == atom("THREAD")) {
			return strings.Trim(show(r[2:]), "[]")
		}
	}
	t.Fatalf("%s: %s: got %v", c.name, command, responses)
	return ""
}

// unequal are messages that we order otherwise than Dovecot, and why.
var unequal = []struct {
	reason string
	in     string // what names the commands
	names  []string
}{
	{
		"RFC 5256 section 2.2: earlier dates come first, however early, and later ones last", "DATE|THREAD",
		[]string{"dates before the epoch", "dates far ahead"},
	},
	{
		"RFC 5256 section 2.2: what is no zone counts as UTC", "DATE|THREAD",
		[]string{"dates with a zone of odd size"},
	},
	{
		"RFC 5322 section 4.3: a year of three digits counts from 1900", "DATE|THREAD",
		[]string{"dates with a year of three digits"},
	},
	{
		"RFC 5322 section 4.5: which of two fields counts is open; it is the one of ENVELOPE, with which Dovecot's SORT differs", "DATE|THREAD",
		[]string{"texts in fields that stand twice"},
	},
	{
		"the same", "SUBJECT|THREAD",
		[]string{"texts in fields that stand twice"},
	},
	{
		"the same", "SUBJECT|FROM|TO",
		[]string{"texts in fields that stand twice, the first empty"},
	},
	{
		"RFC 5322 section 4.4: elements of a list may be empty; the first address is the first that there is, in ENVELOPE too", "TO",
		[]string{"addresses with commas too many"},
	},
	{
		"RFC 5255 section 4.6: what is no UTF-8 comes behind all that is", "[( ]SUBJECT|FROM",
		[]string{"bytes of ISO 8859-1 raw in every field"},
	},
	{
		"RFC 2047 section 6.2: encoded words without the blanks between them are one text, in whatever charset", "[( ]SUBJECT",
		[]string{"encoded words that split a character", "encoded words of an unknown charset", "text in a charset nobody knows"},
	},
	{
		"RFC 2231 section 5: a language may stand behind the charset", "SUBJECT|REFERENCES",
		[]string{"encoded words with a language"},
	},
	{
		"RFC 5255 section 4.6: encodings are undone, here of a charset that the other server's C library does not know", "SUBJECT|REFERENCES",
		[]string{"text in hz-gb-2312"},
	},
}
