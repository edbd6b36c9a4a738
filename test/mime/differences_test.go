package mime

import (
	"regexp"
	"strings"
)

// difference is what we say and Dovecot does not, and why.
type difference struct {
	reason string // with the line of the RFC
	item   string // regular expression
	names  []string
	when   func(Message) bool // further messages where they may differ
}

var differences = []difference{
	{
		reason: "RFC 9051 section 6.4.5.1: HEADER, TEXT and numbers reach into message/global as into message/rfc822",
		item:   `BODY\[1\..*`,
		names:  []string{"message/global instead of message/rfc822"},
	},
	{
		reason: "RFC 5322 section 4.4 (obs-addr-list): elements of a list may be empty, and are no addresses",
		item:   "ENVELOPE (to|reply-to)",
		names:  []string{"addresses with commas too many", "addresses of sender and reply that are only comments"},
	},
	{
		reason: "RFC 5322 section 4.4 (obs-local-part): word *(\".\" word), with blanks and quotes",
		item:   `ENVELOPE to|SEARCH TO .*`,
		names:  []string{"addresses with blanks inside", "addresses with quoted local parts"},
	},
	{
		reason: "RFC 5322 section 3.4: a quoted string that no angle-addr follows is no display-name, so the personal name is NIL (RFC 3501 section 7.4.2)",
		item:   "ENVELOPE to",
		names:  []string{"addresses without anything"},
	},
	{
		reason: "RFC 3501 section 7.4.2: the envelope has the addresses of the field; Dovecot leaves out what follows the first that is broken",
		item:   "ENVELOPE to|SEARCH TO .*",
		names: []string{
			"addresses behind a group without a comma", "addresses in a group inside a group", "addresses like URLs and mailto",
			"addresses with a backslash", "addresses with a comment never opened", "addresses with a missing angle at the start",
			"addresses with an angle closed twice", "addresses with an angle in an angle", "addresses with dots too many",
			"addresses with semicolons instead of commas", "addresses with text behind the angle", "addresses with two at signs",
		},
	},
	{
		reason: "RFC 5322 section 2.2.3: unfolding takes CRLF away and leaves the blanks; Dovecot makes each run of them one space",
		item:   `ENVELOPE (subject|to)|SEARCH (SUBJECT|TEXT) "(\\t|  )"`,
		names: []string{
			"addresses folded in quotes and brackets", "encoded words folded", "fields folded everywhere", "fields folded with an empty continuation",
			"fields with tabs instead of blanks", "CR alone as line end", "parameter folded inside its quotes", "field with blanks as its value",
			"fields with trailing blanks", "encoded words with an empty text",
		},
	},
	{
		reason: "RFC 5322 section 3.2.2: blanks around a date, an id or another token are not part of it",
		item:   "ENVELOPE (date|message-id)|BODYSTRUCTURE|BODY",
		names:  []string{"field with blanks as its value", "fields folded everywhere", "fields with trailing blanks", "MD5 and location with blanks and comments"},
	},
	{
		reason: "RFC 2046 section 5.1.1 (bcharsnospace): a boundary has at least one character",
		item:   `BODYSTRUCTURE|BODY|BODY\[1.*`,
		names:  []string{"boundary empty"},
	},
	{
		reason: "RFC 2046 section 5.1.1: blanks at the end of a boundary are to be deleted",
		item:   `BODYSTRUCTURE|BODY|BODY\[1.*|SEARCH (BODY|TEXT) "--b"`,
		names:  []string{"boundary parameter with trailing blank inside the quotes"},
	},
	{
		reason: "RFC 2045 section 5.1: a value of other characters than those of a token has to be quoted; where it is not, no rule says where it ends, and the whole word is what was meant",
		item:   `BODYSTRUCTURE|BODY`,
		names:  []string{"boundary unquoted with marks it may not hold", "parameter unquoted with marks"},
	},
	{
		reason: "RFC 2046 section 5.1.1: the boundary has to appear in its entirety; Dovecot cuts it at 80 characters",
		item:   `BODYSTRUCTURE|BODY|BODY\[.*`,
		names:  []string{"boundary of more than seventy characters", "boundary of eighty characters that is cut at its line"},
	},
	{
		reason: "RFC 2046 section 5.1.1: the CRLF before a delimiter belongs to it, not to the multipart or message that ends there",
		item:   `BODYSTRUCTURE|BODY|BODY\[.*`,
		names: []string{
			"boundary of the inner one is a prefix of the outer", "boundary that is a prefix of the inner one", "boundary the same inside and outside",
			"calendar in an alternative and attached", "digest with a multipart and its untyped part", "made: multiparts nested 99 deep",
			"message part in base64", "message part whose header a boundary ends", "message with a multipart in a multipart",
			"multiparts nested ten deep", "parallel and header set",
		},
	},
	{
		reason: "RFC 2045 section 5.2: a Content-Type that does not follow the syntax counts as text/plain; charset=us-ascii",
		item:   `BODYSTRUCTURE|BODY|SEARCH (BODY|TEXT) "--b"`,
		names: []string{
			"digest with a part that has a type", "field without value", "multipart without a subtype", "type in quotes", "type with a colon",
			"type with an empty subtype", "type with an empty type", "type with commas between its parameters", "type with two slashes",
			"type without a semicolon before its parameter", "type without a subtype",
		},
	},
	{
		reason: "RFC 2045 section 5.1 (attribute := token): what has no name is no parameter, and those beside it stay",
		item:   "BODYSTRUCTURE|BODY",
		names:  []string{"parameter with an unterminated comment", "parameter without a name", "parameter without a value"},
	},
	{
		reason: "RFC 2183 section 2.8: a disposition that is not recognized is an attachment",
		item:   "BODYSTRUCTURE",
		names:  []string{"disposition in quotes", "disposition with nothing but parameters"},
	},
	{
		reason: "RFC 3282 section 2: the tags behind a comma are of the list too",
		item:   "BODYSTRUCTURE",
		names:  []string{"languages with comments and garbage"},
	},
	{
		reason: "RFC 2045 section 6.1 (mechanism := token): the encoding ends with its token",
		item:   "BODYSTRUCTURE|BODY",
		names:  []string{"encoding with a trailing semicolon"},
	},
	{
		reason: "RFC 3501 section 7.4.2: the structure is made of the fields of MIME that are there; Dovecot wants MIME-Version or Content-Type beside them",
		item:   "BODYSTRUCTURE|BODY",
		names:  []string{"MIME version and type missing, other fields there"},
	},
	{
		reason: "RFC 3501 section 6.4.5: a message without body and empty line has none in any fetch of its header",
		item:   `BODY\[.*HEADER\.FIELDS.*`,
		names: []string{
			"CR CR LF as line ends", "CR alone as line end", "digest with an empty part", "empty message", "header only, no empty line",
			"header only, no line end", "message part in a multipart, empty", "message part without even its empty line",
			"no empty line, a text line ends the header",
		},
	},
	{
		reason: "RFC 3501 section 6.4.4: BODY looks at the body of the message, of which the header of a message in it is a part",
		item:   "SEARCH BODY .*",
		names: []string{
			"digest with parts without a type", "made: messages nested 99 deep", "message in a message in a message", "message part with header",
			"message with a multipart in a multipart", "message/RFC822 in capitals", "report of abuse",
		},
	},
	{
		reason: "RFC 2045 section 6.8: characters that are none of base64 are ignored",
		item:   ".*SEARCH .*needle.*|.*SEARCH .*NEEDLE.*",
		names:  []string{"base64 with junk between"},
	},
	{
		reason: "RFC 2045 section 6.1: what names no encoding leaves the 7bit that BODYSTRUCTURE announces too",
		item:   `SEARCH (BODY|TEXT) "x"`,
		names:  []string{"encoding in quotes", "encoding with two words"},
	},
	{
		reason: "RFC 2045 section 6.1: the encoding that BODYSTRUCTURE announces, of which Dovecot undoes another",
		item:   "SEARCH .*",
		names:  []string{"encoding twice"},
	},
	{
		reason: "RFC 2047 section 6.2: encoded words without the blanks between them are one text, in whatever charset",
		item:   "SEARCH .*",
		names:  []string{"encoded words that split a character", "encoded words of an unknown charset", "text in a charset nobody knows"},
	},
	{
		reason: "RFC 2231 section 5: a language may stand behind the charset",
		item:   "SEARCH .*",
		names:  []string{"encoded words with a language"},
	},
	{
		reason: "RFC 3501 section 6.4.4: the text is there, in a charset that the other server's C library does not know",
		item:   "SEARCH .*",
		names:  []string{"text in hz-gb-2312"},
	},
	{
		reason: "RFC 5322 section 4.3: a year of three digits counts from 1900",
		item:   "SEARCH SENT.*",
		names:  []string{"dates with a year of three digits"},
	},
	{
		reason: "RFC 3501 section 6.4.4: SENTBEFORE and SENTSINCE compare the date, however early",
		item:   "SEARCH SENT.*",
		names:  []string{"dates before the epoch"},
	},
	{
		reason: "RFC 5322 section 4.5: which of two Date fields counts is open; it is the one of ENVELOPE, with which Dovecot's SEARCH differs",
		item:   "SEARCH SENT.*",
		names:  []string{"texts in fields that stand twice"},
	},
	{
		reason: "RFC 3501 section 6.4.4: SENTBEFORE is for messages whose Date is earlier; without one there is no earlier",
		item:   "SEARCH SENTBEFORE .*",
		when:   func(m Message) bool { return !dated(m) || strings.HasPrefix(m.Name, "dates ") },
	},
}

// dated reports whether the header has a date.
func dated(m Message) bool {
	head, _, _ := strings.Cut(m.Text, "\n\n")
	return regexp.MustCompile(`(?m)^Date:.*\d`).MatchString(head)
}
