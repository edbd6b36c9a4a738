package mailer

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// away is a domain whose only host does not answer.
const (
	away     = "away.test"
	awayZone = away + ". 60 IN MX 10 mx." + away + ".\nmx." + away + ". 60 IN A 127.0.0.99\n"
)

// entry is a message as scripts that read Postfix's mailq see it.
type entry struct {
	id, mark, from, reason string
	size                   int
	rcpts                  []string
}

var (
	headLine    = regexp.MustCompile(`^([0-9A-Za-z]+)([*! ]) +(\d+) (\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d)  +(\S+)$`)
	summaryLine = regexp.MustCompile(`^-- (\d+) Kbytes in (\d+) Requests?\.$`)
)

// parseMailq reads mailq's text in the manner of pfqueue, qshape's users and
// monitoring plugins.
func parseMailq(t *testing.T, out string) (all []entry) {
	t.Helper()
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if lines[0] != "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------" {
		t.Fatalf("got %q first", lines[0])
	}
	last := lines[len(lines)-1]
	for _, l := range lines[1 : len(lines)-1] {
		switch f := headLine.FindStringSubmatch(l); {
		case f != nil:
			size, _ := strconv.Atoi(f[3])
			all = append(all, entry{id: f[1], mark: f[2], size: size, from: f[5]})
		case l == "":
		case strings.HasPrefix(strings.TrimLeft(l, " "), "("):
			all[len(all)-1].reason = strings.TrimSpace(l)
		case strings.HasPrefix(l, strings.Repeat(" ", 41)) && l[41] != ' ':
			all[len(all)-1].rcpts = append(all[len(all)-1].rcpts, strings.TrimSpace(l))
		default:
			t.Fatalf("got the line %q, which no script could read", l)
		}
	}
	if f := summaryLine.FindStringSubmatch(last); f == nil || f[2] != strconv.Itoa(len(all)) {
		t.Fatalf("got %q last, for %d messages", last, len(all))
	}
	return all
}

func TestMailq(t *testing.T) {
	d := newDesk(t, instance.Options{Zone: awayZone, Conf: "retry 1h\n"})
	for _, line := range []string{"$MAILQ", "$SENDMAIL -bp", "$MAILQ -v", "$SENDMAIL -vbp"} {
		if got := d.sh(line); got != "Mail queue is empty\n" {
			t.Errorf("%s: got %q", line, got)
		}
	}
	d.sh(`printf 'Subject: one\n\nhi\n' | $SENDMAIL -f ann x@` + away + ` y@` + away + ` root`)
	d.sh(`printf 'Subject: two\n\nhi\n' | $SENDMAIL -f '<>' z@` + away)
	var all []entry
	suite.Eventually(t, "both messages at rest with their reasons", func() bool {
		out := d.sh("$MAILQ")
		if strings.Count(out, "(") == 2 && !strings.Contains(out, "*") {
			all = parseMailq(t, out)
		}
		return len(all) == 2
	})
	if e := all[0]; e.mark != " " || e.from != suite.Ann || strings.Join(e.rcpts, " ") != "x@"+away+" y@"+away || e.size == 0 || !strings.Contains(e.reason, "refused") {
		t.Errorf("got %+v", e)
	}
	if e := all[1]; e.from != "MAILER-DAEMON" || len(e.rcpts) != 1 {
		t.Errorf("got %+v", e)
	}
	// The usual one-liners.
	for line, want := range map[string]string{
		"$MAILQ | tail -n 1":                               "-- 0 Kbytes in 2 Requests.\n",
		"$MAILQ | grep -c '^[A-F0-9]'":                     "2\n",
		"$MAILQ | tail -n 1 | awk '{print $5}'":            "2\n",
		"$MAILQ | grep -c '^[0-9A-Z].*" + suite.Ann + "$'": "1\n",
		"$MAILQ | egrep -c '^[A-Za-z0-9]+\\*?!? '":         "2\n",
	} {
		if got := d.run(call{line: line}).out; got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if r := d.run(call{line: "$MAILQ >/dev/full"}); r.code != 71 {
		t.Errorf("to a full disk: got %d, %s, want 71", r.code, r.out)
	}
	if out, err := d.Posthorn("", "queue", "hold", all[0].id); err != nil {
		t.Fatal(out)
	}
	if held := parseMailq(t, d.sh("$MAILQ")); held[0].mark != "!" {
		t.Errorf("got %+v, want it held", held[0])
	}
	d.sh("$SENDMAIL -qI" + all[1].id)
	d.sh("$SENDMAIL -q")
	if r := d.run(call{line: "$SENDMAIL -qI0000000000000000000000000x"}); r.code != 65 && r.code != 64 {
		t.Errorf("flush of nothing: got %d, %s", r.code, r.out)
	}
	if err := d.StopServer(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"$MAILQ", "$SENDMAIL -q"} {
		if r := d.run(call{line: line}); r.code != 69 || !strings.Contains(r.out, "mail system is down") {
			t.Errorf("%s without a server: got %d, %s, want 69", line, r.code, r.out)
		}
	}
}

// TestMailqUsers: the queue is for root and those whom mailq-users names, and
// only root flushes it.
func TestMailqUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	for _, tc := range []struct {
		conf string
		uid  int
		code int
	}{
		{"", 61999, 77}, {"mailq-users 61998\n", 61999, 77}, {"mailq-users 61998 61999\n", 61999, 0}, {"mailq-users *\n", 61999, 0},
	} {
		d := newDesk(t, instance.Options{Conf: tc.conf})
		if r := d.run(call{uid: tc.uid, line: "$MAILQ"}); r.code != tc.code {
			t.Errorf("%q: got %d, %s, want %d", tc.conf, r.code, r.out, tc.code)
		}
		if r := d.run(call{uid: tc.uid, line: "$SENDMAIL -q"}); r.code != 77 {
			t.Errorf("%q: flush: got %d, %s, want 77", tc.conf, r.code, r.out)
		}
	}
}

func TestNewaliases(t *testing.T) {
	d := newDesk(t, instance.Options{})
	for _, tc := range []struct {
		text string
		code int
		out  string
	}{
		{"root: ann\n", 0, ""},
		{"root: ann\nbob\n", 65, "aliases:2: found no colon"},
		{"root: |/bin/x\n", 65, "aliases:1: found the command"},
	} {
		if err := os.WriteFile(d.path("aliases"), []byte(tc.text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"$NEWALIASES", "$SENDMAIL -bi", "$SENDMAIL -I -v"} {
			r := d.run(call{line: line})
			if r.code != tc.code || !strings.Contains(r.out, tc.out) || tc.out == "" && r.out != "" {
				t.Errorf("%s of %q: got %d, %q, want %d and %q", line, tc.text, r.code, r.out, tc.code, tc.out)
			}
		}
	}
	os.Remove(d.path("aliases"))
	if r := d.run(call{line: "$NEWALIASES"}); r.code != 0 {
		t.Errorf("without a table: got %d, %s, want 0", r.code, r.out)
	}
}
