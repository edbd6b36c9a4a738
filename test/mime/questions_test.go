package mime

import (
	"fmt"
	"strings"
)

// items are what is fetched of every message as a whole.
var items = []string{
	"RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODY", "BODYSTRUCTURE",
	"BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "RFC822.HEADER",
	"BODY.PEEK[HEADER.FIELDS (From to SUBJECT Content-Type X-Many)]",
	"BODY.PEEK[HEADER.FIELDS (no-such-field)]",
	"BODY.PEEK[HEADER.FIELDS.NOT (From to SUBJECT X-Many)]",
	"BODY.PEEK[]<0.10>", "BODY.PEEK[]<7.1000>", "BODY.PEEK[HEADER]<3.12>", "BODY.PEEK[TEXT]<1.7>", "BODY.PEEK[TEXT]<100000000.1>",
	"BODY.PEEK[HEADER.FIELDS (Subject)]<2.9>", "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]<2.9>", "BODY.PEEK[1]<2.3>",
	"BODY.PEEK[2]", "BODY.PEEK[1.1]", "BODY.PEEK[1.2.MIME]", "BODY.PEEK[99]",
}

// sections are what is fetched of every part.
var sections = []string{
	"BODY.PEEK[%s]", "BODY.PEEK[%s.MIME]", "BODY.PEEK[%s.HEADER]", "BODY.PEEK[%s.TEXT]",
	"BODY.PEEK[%s.HEADER.FIELDS (Subject Content-Type)]", "BODY.PEEK[%s.HEADER.FIELDS.NOT (Subject)]", "BODY.PEEK[%s]<1.5>",
}

// field asks for a text in a header field, and text everywhere.
func field(name string, texts ...string) (keys []string) {
	for _, text := range texts {
		keys = append(keys, name+" "+literal(text))
	}
	return keys
}

// literal is a string of a command: 8 bits are allowed in no other kind.
func literal(s string) string { return fmt.Sprintf("{%d+}\r\n%s", len(s), s) }

// words are texts that messages of the corpus hold in many charsets and
// encodings.
var words = []string{"needle", "NEEDLE", "Grüße", "GRÜSSE", "grusse", "Köln", "koln", "gęślą", "Привет", "ПРИВЕТ", "привет", "Καλημέρα", "ΚΑΛΗΜΈΡΑ",
	"İstanbul", "istanbul", "ışığı", "€", "Œuvre", "œuvre", "“Grüße”", "žluťoučký", "Příliš ž", "שלום", "مرحبا", "Київа", "Києва", "日本語", "手紙", "한국어", "中文", "𠀀", "信件", "สวัสดี",
	"café", "cafe\u0301", "wide", "ＷＩＤＥ", "fine", "straße", "strasse", "σίσυφος", "ΣΊΣΥΦΟΣ", "full",
	"needle needle", "needle two", "needle footer", "needle plain", "needle one", "needle soft", "needle blanks", "broken", "needle =", "needle end", "behind", "between", "after",
	"need\r\nle", "needle comment", "need</b>le", "Gr&uuml;", "needle quoted", "needle other", "needle long", "needle none", "needle unknown", "needle in a body", "needle_in", "blank under",
	"two three", "folded", "needle folded", "needle pad", "=?utf-8?q?needle", "with a tab", "digest one", "=3D", "?=", "utf-8", "hidden", "inner", "second", "boundary=", "--b", "Content-Type: ", "content-type",
	"epilogue", "preamble", "8-bit", "x", "(", "\"", "\\", "a b", "  ", "\t", "Jürgen", "jürgen@", "example.org>", "Undelivered", "Reporting-MTA", "spam", "BEGIN:", "PGP", "ten deep", "innermost", "reall\u00ff"}

// searches are the keys of every SEARCH, CHARSET UTF-8.
func searches() []string {
	keys := []string{
		"ALL", "NOT ALL", "LARGER 100", "SMALLER 100", "LARGER 1000000", "ON 14-May-2026", "BEFORE 14-May-2026", "SINCE 15-May-2026",
		"SENTON 7-Feb-1994", "SENTON 8-Feb-1994", "SENTON 9-Feb-1994", "SENTBEFORE 8-Feb-1994", "SENTSINCE 8-Feb-1994", "SENTSINCE 1-Jan-2000", "SENTBEFORE 1-Jan-1970",
		`HEADER Subject ""`, "HEADER Subject {7+}\r\ntab\ttab", `HEADER From ""`, `HEADER Content-Type ""`, `HEADER X-Many ""`, `HEADER Date ""`, `HEADER Message-ID ""`, `HEADER "Sub" ""`, `HEADER Bcc ""`,
		`BODY ""`, `TEXT ""`, `SUBJECT ""`, `FROM ""`, `OR SUBJECT "needle" BODY "needle"`, `NOT BODY "needle"`,
	}
	for _, name := range []string{"SUBJECT", "BODY", "TEXT"} {
		keys = append(keys, field(name, words...)...)
	}
	for _, name := range []string{"FROM", "TO", "CC", "BCC"} {
		keys = append(keys, field(name, "ann", "a@example.org", "ann@example.org", "Ann <ann", "bob", "example.org", "example . org", "Jürgen", "jürgen@", "J. ", "B \"C", "B\\C", "friends", "(", "<", ">", "\"",
			"one two", "onetwo", "comment", "two", "@", "nul", "undisclosed", "=?utf-8", "E, F", "\"E, F\"", "(G)", "日本", "c d", "a.example")...)
	}
	keys = append(keys, field("HEADER Content-Type", "text/html", "charset", "utf-8", "three", "one two", "name=\"a", "Grüße", "boundary", "=?utf-8")...)
	keys = append(keys, field("HEADER Content-Disposition", "attachment", "Grüße", "gr%c3")...)
	keys = append(keys, field("HEADER Message-ID", "<1@x>", "one", "two", "@", "ü")...)
	keys = append(keys, field("HEADER In-Reply-To", "<1@x>", "> <", "3@x")...)
	keys = append(keys, field("HEADER Received", "x")...)
	keys = append(keys, field("HEADER X-Long", "y y", "x", "z")...)
	keys = append(keys, field("HEADER Date", "1994", "(PST)", "Feb 1994", "(e) Feb")...)
	return keys
}

// question names a key in one line.
func question(key string) string {
	if i := strings.IndexByte(key, '{'); i >= 0 {
		_, text, _ := strings.Cut(key[i:], "\r\n")
		key = key[:i] + fmt.Sprintf("%q", text)
	}
	return "SEARCH " + key
}
