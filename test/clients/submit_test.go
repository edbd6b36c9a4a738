package clients

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"posthorn/test/suite"
)

// submitter sends a message to bob and eve, and to ann by Bcc. Its arguments
// and files are filled in; stdin is what it reads.
type submitter struct {
	name, program string
	conf          string // a file rc in the home
	stdin         string
	args          []string
	sent          string // where it keeps its copy; unless it composes, it sends nasty.eml as it is
	pads          bool   // it adds an empty line, to the message or to its copy
	local         bool   // it did not log in, so only bob and ann get it
}

const header = "From: Ann <%ANN%>\nTo: Bob <%BOB%>, <%EVE%>\n"

const msmtprc = `account default
host localhost
port %PORT%
from %ANN%
auth %AUTH%
user %ANN%
password %PASS%
tls on
tls_starttls %TLS%
tls_trust_file %CA%
`

const muttrc = `set from="%ANN%" realname="Ann" use_envelope_from=no
set smtp_url="%URL%" smtp_pass="%PASS%" ssl_force_tls=yes
set certificate_file="%CA%" ssl_ca_certificates_file="%CA%"
set mbox_type=Maildir folder="%HOME%" record="%HOME%/sent" copy=yes
set sendmail_wait=0 charset=utf-8 send_charset=utf-8 allow_8bit=yes hidden_host=no
`

// smtplib sends standard input as it is.
const smtplib = `
import smtplib, ssl, sys
kind, port, rcpts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
tls = ssl.create_default_context(cafile="%CA%")
s = smtplib.SMTP_SSL("localhost", port, context=tls) if kind == "tls" else smtplib.SMTP("localhost", port)
if kind == "starttls":
    s.starttls(context=tls)
if kind != "plain":
    s.login("%ANN%", "%PASS%")
s.sendmail("%ANN%" if kind != "plain" else "%EVE%", rcpts, sys.stdin.buffer.read().replace(b"\n", b"\r\n"), mail_options=["BODY=8BITMIME"])
s.quit()
`

// swaks and curl take the file and the recipients in the same way each time.
func swaks(args ...string) []string {
	return append(args, "--tls-verify", "--tls-ca-path", "%CA%", "--auth-user", "%ANN%", "--auth-password", "%PASS%", "--from", "%ANN%",
		"--to", "%BOB%,%EVE%,%ANN%", "--data", "@%HOME%/nasty.eml")
}

func curl(url string, args ...string) []string {
	return append(args, "-sS", "--cacert", "%CA%", "--crlf", "--mail-rcpt", "%BOB%", "--mail-rcpt", "%ANN%", "-T", "%HOME%/nasty.eml", url)
}

// snail's message has an attachment, as mutt's.
func snail(args ...string) []string {
	return append(append([]string{"-:/", "-Sv15-compat=yes", "-Sttycharset=utf-8", "-Stls-ca-file=%CA%", "-Stls-verify=strict", "-Sfrom=Ann <%ANN%>",
		"-Srecord=maildir://%HOME%/sent", "-Shostname=localhost"}, args...), "-s", "Grüße von s-nail", "-b", "%ANN%", "-a", "%HOME%/large", "-.", "%BOB%", "%EVE%")
}

func mutt(name string) []string {
	return []string{"-n", "-F", "%HOME%/rc", "-s", "Grüße von " + name, "-b", "%ANN%", "-a", "%HOME%/large", "--", "%BOB%", "%EVE%"}
}

// draft has Dcc, for nmh sends to Bcc a message of its own.
const draft = header + "Dcc: %ANN%\nFcc: outbox\nSubject: from nmh\n--------\n" + text

// text has what transports break: dots, From, a long line, letters beyond ASCII.
const text = "Grüße, 8 bits.\n.a dot\n..two dots\n.\nFrom here on\n  blanks \n=3D\n\nthe end\n\n"

const mhProfile = `Path: %HOME%/Mail
credentials: file:%HOME%/netrc
send: -mts smtp -server localhost -port %PORT% %TLS% -sasl -saslmech plain -user %ANN% -msgid
`

var submitters = []submitter{
	{name: "msmtp 587 PLAIN", program: "msmtp", conf: words(msmtprc, "", "%submission%", "on"), args: []string{"-C", "%HOME%/rc", "-t"}},
	{name: "msmtp 465 LOGIN", program: "msmtp", conf: strings.Replace(words(msmtprc, "", "%submissions%", "off"), "%AUTH%", "login", 1), args: []string{"-C", "%HOME%/rc", "-t"}},
	{name: "swaks 587 LOGIN", program: "swaks", args: swaks("--server", "localhost:%submission%", "--tls", "--auth", "LOGIN"), pads: true},
	{name: "swaks 465 PLAIN", program: "swaks", args: swaks("--server", "localhost:%submissions%", "--tlsc", "--auth", "PLAIN"), pads: true},
	{name: "curl 465", program: "curl", args: curl("smtps://localhost:%submissions%", "--mail-rcpt", "%EVE%", "--mail-from", "%ANN%", "--user", "%ANN%:%PASS%")},
	{name: "curl 587", program: "curl", args: curl("smtp://localhost:%submission%", "--mail-rcpt", "%EVE%", "--ssl-reqd", "--mail-from", "%ANN%", "--user", "%ANN%:%PASS%", "--login-options", "AUTH=LOGIN")},
	{name: "curl 25", program: "curl", args: curl("smtp://localhost:%smtp%", "--mail-from", "%EVE%"), local: true},
	{name: "smtplib 465", program: "/usr/bin/python3", args: []string{"-c", smtplib, "tls", "%submissions%", "%BOB%", "%EVE%", "%ANN%"}},
	{name: "smtplib 587", program: "/usr/bin/python3", args: []string{"-c", smtplib, "starttls", "%submission%", "%BOB%", "%EVE%", "%ANN%"}},
	{name: "smtplib 25", program: "/usr/bin/python3", args: []string{"-c", smtplib, "plain", "%smtp%", "%BOB%", "%ANN%"}, local: true},
	{name: "s-nail 465", program: "s-nail", stdin: text, args: snail("-Smta=submissions://ann%40example.test:%PASS%@localhost:%submissions%", "-Ssmtp-auth=plain"), sent: "sent/*/*", pads: true},
	{name: "s-nail 587", program: "s-nail", stdin: text, args: snail("-Smta=submission://ann%40example.test:%PASS%@localhost:%submission%", "-Ssmtp-use-starttls", "-Ssmtp-auth=login"), sent: "sent/*/*", pads: true},
	{name: "mutt 465", program: "mutt", stdin: text, conf: strings.Replace(muttrc, "%URL%", "smtps://%ANN%@localhost:%submissions%", 1), args: mutt("mutt"), sent: "sent/*/*"},
	{name: "mutt 587", program: "mutt", stdin: text, conf: strings.Replace(muttrc, "%URL%", "smtp://%ANN%@localhost:%submission%", 1), args: mutt("mutt"), sent: "sent/*/*"},
	{name: "neomutt 465", program: "neomutt", stdin: text, conf: strings.Replace(muttrc, "%URL%", "smtps://%ANN%@localhost:%submissions%", 1), args: mutt("neomutt"), sent: "sent/*/*"},
	{name: "neomutt 587", program: "neomutt", stdin: text, conf: strings.Replace(muttrc, "%URL%", "smtp://%ANN%@localhost:%submission%", 1), args: mutt("neomutt"), sent: "sent/*/*"},
	{name: "nmh 465", program: "/usr/bin/mh/send", conf: words(mhProfile, "", "%submissions%", "-initialtls"), args: []string{"%HOME%/draft"}, sent: "Mail/outbox/1"},
	{name: "nmh 587", program: "/usr/bin/mh/send", conf: words(mhProfile, "", "%submission%", "-tls"), args: []string{"%HOME%/draft"}, sent: "Mail/outbox/1"},
}

// nasty is a message with lines that transports break, and a large attachment.
func nasty() string {
	data := make([]byte, 2<<20)
	source := rand.NewChaCha8([32]byte{})
	source.Read(data)
	var b strings.Builder
	b.WriteString(header + "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= with\n a folded line\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text + strings.Repeat("x", 998) + "\n" +
		"--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 76) {
		b.Write(line)
		b.WriteString("\n")
	}
	return b.String() + "--b--\nan epilogue\n"
}

// TestSubmitters: what each sends arrives, byte for byte, in two boxes and at a
// host of another domain.
func TestSubmitters(t *testing.T) {
	var programs []string
	for _, s := range submitters {
		programs = append(programs, s.program)
	}
	d := newDesk(t, programs...)
	message := nasty()
	for _, s := range submitters {
		t.Run(s.name, func(t *testing.T) { d.submits(t, s, message) })
	}
}

// submits runs one of them in a home of its own, at the same server.
func (d *desk) submits(t *testing.T, s submitter, message string) {
	h := d.at(t)
	h.file("nasty.eml", message)
	h.file("large", strings.Repeat("All work and no play.\r\n", 10000)+"\x00\xff")
	conf := strings.Replace(s.conf, "%AUTH%", "plain", 1)
	h.file("rc", conf)
	h.file(".mh_profile", conf)
	h.file("draft", draft)
	h.file("netrc", "machine localhost login %ANN% password %PASS%\n")
	h.folder("Mail/outbox")
	bobs, anns, foreign := suite.BoxFiles(d.Instance, suite.Bob, ""), suite.BoxFiles(d.Instance, suite.Ann, ""), suite.SinkFiles(d.Instance)
	stdin := s.stdin
	if stdin == "" {
		stdin = message
		if s.program == "msmtp" {
			stdin = "Bcc: %ANN%\n" + message
		}
	}
	h.run(stdin, s.program, s.args...)
	want := []byte(message)
	if s.sent != "" {
		want = h.only(s.sent)
	}
	h.wantArrived("bob", s.pads, want, bobs, func() []string { return suite.BoxFiles(d.Instance, suite.Bob, "") })
	h.wantArrived("ann", s.pads, want, anns, func() []string { return suite.BoxFiles(d.Instance, suite.Ann, "") })
	if !s.local {
		h.wantArrived("eve", s.pads, want, foreign, func() []string { return suite.SinkFiles(d.Instance) })
	}
}

// only returns the text of the one file that matches.
func (d *desk) only(pattern string) []byte {
	d.t.Helper()
	files, _ := filepath.Glob(filepath.Join(d.home, pattern))
	if len(files) != 1 {
		d.t.Fatalf("%s: got files %q, want one", pattern, files)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// wantArrived waits for one file more than before, and compares it with what was sent.
func (d *desk) wantArrived(who string, pads bool, sent []byte, before []string, now func() []string) {
	d.t.Helper()
	suite.Eventually(d.t, who+" has the message", func() bool { return len(now()) == len(before)+1 })
	for _, file := range now() {
		if strings.Contains(strings.Join(before, "\n")+"\n", file+"\n") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			d.t.Fatal(err)
		}
		got, want := body(text), body(sent)
		if pads {
			got, want = strings.TrimRight(got, "\n"), strings.TrimRight(want, "\n")
		}
		if got != want {
			d.t.Errorf("%s: got a body of %d bytes, want %d; they differ from byte %d on", who, len(got), len(want), differ(got, want))
		}
		if got, want := field(text, "Subject"), field(sent, "Subject"); got != want || want == "" {
			d.t.Errorf("%s: got the subject %q, want %q", who, got, want)
		}
		if got := field(text, "Bcc"); got != "" {
			d.t.Errorf("%s: got Bcc: %s, want it hidden", who, got)
		}
	}
}

// differ returns where two texts begin to.
func differ(a, b string) int {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return n
		}
	}
	return min(len(a), len(b))
}
