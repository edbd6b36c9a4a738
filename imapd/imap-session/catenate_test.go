package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/conf"
)

// lines puts CRLF behind each.
func lines(text ...string) string { return strings.Join(text, "\r\n") + "\r\n" }

const delimiter = "--------------030308070208000400050907"

// The draft of RFC 4469 appendix A, and what stands in its place in the examples.
var (
	draftHeader = lines("Subject: About our holiday trip", "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="`+delimiter[2:]+`"`)
	draftText   = lines("Content-Type: text/plain; charset=us-ascii", "", "Our travel agent has sent the schedule.")
	draftZip    = lines("Content-Type: application/x-zip-compressed", "Content-Transfer-Encoding: base64", "", "UEsDBA==")
	draft       = draftHeader + "\r\n" + delimiter + "\r\n" + draftText + delimiter + "\r\n" + draftZip + delimiter + "--\r\n"
)

// drafts returns a client whose Drafts have messages with UIDs up to 30, the
// draft among them as 20, and a zip file alone as 30.
func drafts(t *testing.T) (d *dialogue, validity string) {
	d = newFixture(t).dialogue()
	d.do("CREATE Drafts")
	filler := func(n int) string { return strings.Repeat(" "+literal("a: b\r\n\r\nc\r\n"), n) }
	d.do("APPEND Drafts" + filler(19))
	d.do(`APPEND Drafts (\Draft) ` + literal(draft))
	d.do("APPEND Drafts" + filler(9))
	d.do("APPEND Drafts " + literal("UEsDBBQ=\r\n"))
	got := d.do("STATUS Drafts (UIDNEXT)")[0]
	if got != `* STATUS "Drafts" (UIDNEXT 31)` {
		t.Fatal(got)
	}
	d.say("x STATUS Drafts (UIDVALIDITY)\r\n")
	status := d.line()
	d.line()
	return d, strings.TrimSuffix(status[strings.LastIndexByte(status, ' ')+1:], ")")
}

// last returns the newest message of a mailbox.
func (d *dialogue) last(folder string) string {
	d.t.Helper()
	d.do("EXAMINE " + folder)
	_, body, _ := strings.Cut(d.do("FETCH * BODY.PEEK[]")[0], "}")
	d.do("UNSELECT")
	return strings.TrimSuffix(body, ")")
}

// TestCatenate has the first three examples of RFC 4469 appendix A.
func TestCatenate(t *testing.T) {
	d, validity := drafts(t)
	url := func(uid int, section string) string {
		return fmt.Sprintf(` URL "/Drafts;UIDVALIDITY=%s/;UID=%d%s"`, validity, uid, section)
	}
	text := func(s string) string { return " TEXT " + literal(s) }
	between, end := text("\r\n"+delimiter+"\r\n"), text("\r\n"+delimiter+"--\r\n")
	schedule := strings.TrimSuffix(draftText, "\r\n")
	for i, tt := range []struct{ name, parts, want string }{
		{"replace an attachment", url(20, "/;section=HEADER") + between + url(20, "/;section=1.MIME") + url(20, "/;section=1") + between + url(30, "") + end,
			draftHeader + "\r\n\r\n" + delimiter + "\r\n" + schedule + "\r\n" + delimiter + "\r\nUEsDBBQ=\r\n\r\n" + delimiter + "--\r\n"},
		{"edit the text", text(draftHeader+"\r\nCheers,\r\nBob\r\n"+delimiter+"\r\n") + url(20, "/;Section=2.MIME") + url(20, "/;Section=2") + end,
			draftHeader + "\r\nCheers,\r\nBob\r\n" + delimiter + "\r\n" + draftZip + delimiter + "--\r\n"},
		{"strip the attachment", url(20, "/;section=HEADER") + text(delimiter+"\r\n") + url(20, "/;section=1.MIME") + url(20, "/;section=1") + end,
			draftHeader + "\r\n" + delimiter + "\r\n" + draftText + delimiter + "--\r\n"},
		{"URLs alone", url(20, "/;section=HEADER") + url(20, "/;SECTION=1/;PARTIAL=4.6"), draftHeader + "\r\ntravel"},
		{"no validity", " URL /Drafts/;UID=1/;PARTIAL=6", "\r\nc\r\n"},
		{"literal URL", " URL " + literal("/Drafts/;UID=20"), draft},
		{"header fields", ` URL "/Drafts/;UID=20/;SECTION=HEADER.FIELDS%20(SUBJECT)"` + text("") + " UTF8 (~" + literal("grün\r\n") + ")",
			"Subject: About our holiday trip\r\n\r\ngrün\r\n"},
	} {
		d.want(`APPEND Drafts (\Seen \Draft $MDNSent) CATENATE (`+tt.parts[1:]+")", fmt.Sprintf("OK [APPENDUID V %d] APPEND completed", 31+i))
		if got := d.last("Drafts"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	d.do("SELECT Drafts")
	d.want("SEARCH SEEN KEYWORD $MDNSent", "* SEARCH 31 32 33 34 35 36 37", "OK SEARCH completed")
	d.want("SEARCH UID 20,30 SEEN", "* SEARCH", "OK SEARCH completed")
}

// TestCatenateSays: a client is asked for a part when those in front of it are there,
// and is told instead that one is not (RFC 4469 appendix A, example 4).
func TestCatenateSays(t *testing.T) {
	d, _ := drafts(t)
	for _, step := range []struct{ say, want string }{
		{"A003 APPEND Drafts CATENATE (TEXT {6}\r\n", "+ OK"},
		{"a: b\r\n URL /Drafts/;UID=20 TEXT {2}\r\n", "+ OK"},
		{"\r\n URL {31}\r\n", "+ OK"},
		{"/Drafts/;UID=20/;section=1.5.9[ TEXT {2}\r\n", "A003 NO [BADURL /Drafts/;UID=20/;section=1.5.9[] no such message or part"},
		{"A004 APPEND Drafts CATENATE (URL /Drafts/;UID=31 TEXT {2}\r\n", "A004 NO [BADURL /Drafts/;UID=31] no such message or part"},
		{"A005 NOOP\r\n", "A005 OK NOOP completed"},
	} {
		d.say(step.say)
		if got := d.line(); got != step.want {
			t.Fatalf("%s: got %s, want %s", step.say, got, step.want)
		}
	}
	d.want("STATUS Drafts (UIDNEXT)", `* STATUS "Drafts" (UIDNEXT 31)`, "OK STATUS completed")
}

func TestCatenateRefused(t *testing.T) {
	d, validity := drafts(t)
	url := func(text string) string { return `CATENATE (URL "` + text + `")` }
	bad := func(text string) string { return "NO [BADURL " + text + "] no such message or part" }
	whole := "/Drafts;UIDVALIDITY=" + validity + "/;UID=20"
	msg, line := literal("x LOGOUT\r\n"), "/Drafts/;UID=20/;section="
	for _, tt := range []struct{ args, want string }{
		{url("/Drafts;UIDVALIDITY=7/;UID=20"), bad("/Drafts;UIDVALIDITY=7/;UID=20")},
		{url("/None/;UID=20"), bad("/None/;UID=20")},
		{url("/%2Fetc/;UID=20"), bad("/%2Fetc/;UID=20")},
		{url("/Drafts/;UID=99"), bad("/Drafts/;UID=99")},
		{url(whole + "/;SECTION=3"), bad(whole + "/;SECTION=3")},
		{url(whole + "/;SECTION=1.TEXT"), bad(whole + "/;SECTION=1.TEXT")},
		{url("imap://ann@example.org/Drafts/;UID=20"), bad("imap://ann@example.org/Drafts/;UID=20")},
		{url(";UID=20"), bad(";UID=20")},
		{url(`a\\b]\"c`), bad("a%5Cb%5D%22c")},
		{"CATENATE (URL " + literal("/\xffa\r\nx") + ")", bad("/%FFa%0D%0Ax")},
		{"CATENATE (URL " + literal(line+strings.Repeat("1", 5000)) + ")", "BAD URL too long"},
		{url(line + strings.Repeat("1", 5000)), bad((line + strings.Repeat("1", 5000))[:4096])},
		{"CATENATE (URL /a%20b/;UID=1)", "BAD missing argument"},
		{url(""), "BAD a URL is expected"},
		{"CATENATE (URL ~" + literal("/x") + ")", "BAD URL too long"},
		{"CATENATE ()", "BAD unknown part of a message"},
		{"CATENATE (TEXT x)", "BAD the text of a part is expected as literal"},
		{"CATENATE (TEXT " + literal("") + ")", "NO a message cannot be empty"},
		{"CATENATE (" + whole + ")", "BAD unknown part of a message"},
		{"CATENATE", "BAD a message is expected as literal"},
		{"CATENATE (", "BAD unknown part of a message"},
		{"CATENATE " + msg, "BAD unexpected argument"},
		{"CATENATE (TEXT " + msg, "BAD missing argument"},
		{"CATENATE (TEXT " + msg + "))", "BAD missing argument"},
		{"CATENATE (TEXT " + msg + ") x", "BAD a message is expected as literal"},
		{"CATENATE (TEXT " + msg + "TEXT " + msg + ")", "BAD missing argument"},
		{"CATENATE (TEXT " + msg + " NEXT " + msg + ")", "BAD unknown part of a message"},
		{"CATENATE (UTF8 (" + msg + "))", "BAD the text of a part is expected as literal"},
		{"CATENATE (UTF8 ~" + msg + ")", "BAD expected \"(\""},
		{"CATENATE (UTF8 (~" + msg + ")", "BAD missing argument"},
		{"CATENATE (UTF8 (~" + msg + " TEXT " + msg + ")", "BAD text behind the message"},
		{"CATENATE (TEXT " + literal(strings.Repeat("x", 1<<20)) + " URL " + whole + ")", "NO [TOOBIG] message too large"},
		{"CATENATE (URL " + whole + " TEXT {1048576}", "NO [TOOBIG] message too large"},
		{"CATENATE (URL " + whole + strings.Repeat(" URL "+whole+"/;PARTIAL=0.1", 1000) + ")", "NO [LIMIT] too many parts for one message"},
		{msg + " " + url(whole+"0"), bad(whole + "0")},
	} {
		d.want("APPEND Drafts "+tt.args, tt.want)
	}
	d.want("APPEND None "+url(whole), "NO [TRYCREATE] no such mailbox")
	d.want("STATUS Drafts (UIDNEXT)", `* STATUS "Drafts" (UIDNEXT 31)`, "OK STATUS completed")
	if left, err := os.ReadDir(filepath.Join(d.f.dir, ".Drafts", "tmp")); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v left in tmp, want nothing", left, err)
	}
}

// TestCatenateAmong: messages in parts stand among whole ones (RFC 3502), and replace
// others (RFC 8508).
func TestCatenateAmong(t *testing.T) {
	d, _ := drafts(t)
	parts := "CATENATE (TEXT " + literal("a: b\r\n\r\n") + " URL /Drafts/;UID=30)"
	d.want("APPEND INBOX (\\Seen) "+parts+" "+literal(simple)+" (\\Flagged) \" 7-Feb-1994 22:43:04 -0800\" "+parts, "OK [APPENDUID V 1:3] APPEND completed")
	d.do("SELECT Drafts")
	d.want("UID REPLACE 20 INBOX "+parts, "* OK [APPENDUID V 4] replacement is filed", "* 20 EXPUNGE", "* 29 RECENT", "OK UID REPLACE completed")
	d.want("REPLACE 29 Drafts CATENATE (URL /Drafts/;UID=30 TEXT "+literal("!")+")",
		"* OK [APPENDUID V 31] replacement is filed", "* 29 EXPUNGE", "* 29 EXISTS", "* 29 RECENT", "OK REPLACE completed")
	parts = "CATENATE (URL /Drafts/;UID=1)"
	d.want("REPLACE 1 INBOX "+parts+" "+parts, "NO [LIMIT] too many messages for one command")
	d.do("EXAMINE INBOX")
	one := "{18}a: b\r\n\r\nUEsDBBQ=\r\n)"
	d.want("FETCH 1,3:4 (FLAGS BODY.PEEK[])", `* 1 FETCH (FLAGS (\Seen \Recent) BODY[] `+one, `* 3 FETCH (FLAGS (\Flagged \Recent) BODY[] `+one,
		`* 4 FETCH (FLAGS (\Recent) BODY[] `+one, "OK FETCH completed")
	d.want("SEARCH BEFORE 9-Feb-1994", "* SEARCH 3", "OK SEARCH completed")
}

// TestCatenateBinary: a part that is binary is filed in base64 (RFC 3516 section 4.4).
func TestCatenateBinary(t *testing.T) {
	d := newFixture(t).dialogue()
	d.want("APPEND INBOX CATENATE (TEXT "+literal("Content-Transfer-Encoding: binary\r\n\r\n")+" TEXT ~"+literal("a\x00b")+")", "OK [APPENDUID V 1] APPEND completed")
	if got, want := d.last("INBOX"), "Content-Transfer-Encoding: base64\r\n\r\nYQBi\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCatenateQuota(t *testing.T) {
	f := newFixture(t)
	f.quota = conf.Quota{Storage: 20_000}
	d := f.dialogue()
	d.want("APPEND INBOX "+literal(strings.Repeat("x", 8000)), "OK [APPENDUID V 1] APPEND completed")
	d.want("APPEND INBOX CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)", "NO [OVERQUOTA] no room left for this user's mail")
	d.want("APPEND INBOX CATENATE (URL /INBOX/;UID=1)", "OK [APPENDUID V 2] APPEND completed")
}

// TestCatenateRights: of another's mail is taken what his list lets one read, and no
// more is told of it.
func TestCatenateRights(t *testing.T) {
	v := newTown(t)
	ann := v.as("ann")
	ann.needs("CREATE Open", "CREATE Shut", "APPEND Open "+literal(simple), "APPEND Shut "+literal(simple), "SETACL Open ben lr", "SETACL Shut ben l")
	ben := v.as("ben")
	for _, tt := range []struct{ name, want string }{
		{"Open", "OK [APPENDUID V 1] APPEND completed"},
		{"Shut", "NO [BADURL /Shared/ann%40x.example/Shut/;UID=1] no such message or part"},
		{"None", "NO [BADURL /Shared/ann%40x.example/None/;UID=1] no such message or part"},
	} {
		ben.want("APPEND INBOX CATENATE (URL \"/Shared/ann%40x.example/"+tt.name+"/;UID=1\")", tt.want)
	}
	if got := ben.last("INBOX"); got != simple {
		t.Errorf("got %q, want %q", got, simple)
	}
	ann.needs("SETACL Open ben l")
	ben.want("APPEND INBOX CATENATE (URL /Shared/ann@x.example/Open/;UID=1)", "NO [BADURL /Shared/ann@x.example/Open/;UID=1] no such message or part")
	ben.want("APPEND Shared/ann@x.example/Open CATENATE (URL /INBOX/;UID=1)", "NO [NOPERM] no right to do that")
}
