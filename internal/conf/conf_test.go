package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const minimal = "hostname mx.example.org\ndomain example.org\n"

// write puts content into a file of its own and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, content string) (*Config, error) {
	t.Helper()
	return Load(write(t, "posthorn.conf", content))
}

func TestThreeLines(t *testing.T) {
	c, err := load(t, minimal+"tls /etc/posthorn/tls/mx.pem # ours\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Hostname != "mx.example.org" || c.Node != "mx.example.org" || !c.LocalDomain("example.org") || c.LocalDomain("example.net") {
		t.Errorf("got hostname %q, node %q, domains %q", c.Hostname, c.Node, c.Domains)
	}
	if len(c.Listen) != len(services) {
		t.Errorf("got %d listeners, want all %d services", len(c.Listen), len(services))
	}
	if c.MessageSize != 50<<20 || c.Expire != 5*day || c.Retry[0] != 5*time.Minute || c.SystemUsers || c.MailRoot != "/var/mail/posthorn" {
		t.Errorf("defaults: got %+v", c)
	}
	if len(c.RelayFrom) != 0 {
		t.Errorf("relay-from: got %v, want nobody", c.RelayFrom)
	}
}

func TestWithoutCertificateOnlyStartTLSServices(t *testing.T) {
	c, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.Listen {
		if implicitTLS(l.Service) {
			t.Errorf("got %s, want no service that begins with TLS", l.Service)
		}
	}
}

func TestSyntax(t *testing.T) {
	c, err := load(t, `# a comment
hostname "mx.example.org"   # quoted
domain example.org
  EXAMPLE.net               # goes on
	other.example
smarthost default [relay.example.net]:587 login=@/secret/relay tls=require
smarthost ann@example.org relay.example.com:2525
smarthost @example.net [2001:db8::1]:25
listen smtp *:25
listen imap [::1]:143
`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"example.org", "example.net", "other.example"}; !reflect.DeepEqual(c.Domains, want) {
		t.Errorf("domains: got %q, want %q", c.Domains, want)
	}
	s := c.Smarthosts
	if len(s) != 3 || s[0].Host != "relay.example.net" || s[0].Port != "587" || s[0].MX || s[0].Login != "@/secret/relay" || s[0].TLS != "require" {
		t.Errorf("smarthosts: got %+v", s)
	}
	if !s[1].MX || s[1].Port != "2525" || s[2].Host != "2001:db8::1" {
		t.Errorf("smarthosts: got %+v", s)
	}
	if got := c.Listeners("smtp", "submission"); len(got) != 1 || got[0].Addr != ":25" {
		t.Errorf("listeners: got %+v", got)
	}
}

// TestSmarthostTLS: a login is not sent under TLS that nobody checked, unless
// the line says so.
func TestSmarthostTLS(t *testing.T) {
	for _, tc := range []struct{ options, want string }{
		{"", "may"},
		{"tls=none", "none"},
		{"login=@/s", "require"},
		{"login=@/s ca=/c", "require"},
		{"login=@/s tls=may", "may"},
		{"tls=may login=@/s", "may"},
		{"tls=implicit login=@/s", "implicit"},
	} {
		c, err := load(t, minimal+"smarthost default [a.example]:587 "+tc.options+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Smarthosts[0].TLS; got != tc.want {
			t.Errorf("%q: got tls=%s, want %s", tc.options, got, tc.want)
		}
	}
}

// TestErrors: each says file and line, what was found and what was expected.
func TestErrors(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"unknown word", minimal + "colour red\n", `:3: found the unknown word "colour"`},
		{"a second one", minimal + "hostname a.example\n", ":3: found a second hostname, expected only the one at "},
		{"quote without end", minimal + "postmaster \"ann\n", ":3: found a quote without end"},
		{"backslash", minimal + `postmaster "a\nb"` + "\n", ":3: found a backslash"},
		{"NUL", minimal + "postmaster a\x00b\n", ":3: found a NUL byte"},
		{"goes on from nothing", "  hostname a\n", ":1: found a line that goes on"},
		{"value behind option", minimal + "smarthost tls=may default [a]:1\n", ":3: found the value"},
		{"no value", minimal + "postmaster\n", ":3: postmaster: found 0 values, expected one"},
		{"option where none is", minimal + "postmaster a@b x=y\n", ":3: postmaster: found the option x="},
		{"no hostname", "domain example.org\n", ": found no hostname, expected"},
		{"no domain", "hostname a.example\n", ": found no domain, expected"},
		{"implicit TLS without certificate", minimal + "listen imaps *:993\n", ":3: listen: found imaps without a certificate"},
		{"ours and another's", minimal + "relay-domain example.net example.org\n", ": found example.org as domain and as relay-domain"},
		{"LMTP for everybody", minimal + "listen lmtp *:24\n", ":3: listen: found every address, expected one"},
		{"LMTP nowhere", minimal + "listen lmtp lmtp.sock\n", ":3: listen: found \"lmtp.sock\", expected the path"},
		{"a socket of SMTP", minimal + "listen smtp /s mode=0600\n", ":3: listen: found the option mode=, expected none"},
		{"no mode", minimal + "listen lmtp /s mode=0777\n", ":3: listen: found mode=0777, expected an octal mode"},
		{"an option of no socket", minimal + "listen lmtp /s user=root\n", ":3: listen: found the option user=, expected mode="},
		{"a login for MX hosts", minimal + "smarthost default a.example:587 login=@/s\n", ":3: smarthost: found login= with a host"},
		{"plain secret", minimal + "smarthost default [a]:1 login=me:secret\n", ":3: smarthost: login: found a plain value"},
		{"a second smarthost", minimal + "smarthost default [a]:1\nsmarthost default [b]:1\n", ":4: smarthost: found a second line for default"},
		{"include of nothing", minimal + "include /nonexistent\n", ":3: include: found no file"},
	} {
		_, err := load(t, tc.content)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "posthorn.conf") {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

// TestListenLMTP: the socket's own words, and the other services stay on offer.
func TestListenLMTP(t *testing.T) {
	c, err := load(t, minimal+"listen lmtp /run/lmtp mode=0600 group=0\nlisten lmtp 127.0.0.1:24\n")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners("lmtp")
	if len(l) != 2 || !l[0].Path() || l[0].Addr != "/run/lmtp" || l[0].Mode != 0o600 || l[1].Path() || l[1].Addr != "127.0.0.1:24" {
		t.Errorf("got %+v", l)
	}
	if gid, err := c.SocketGroup(l[0]); gid != 0 || err != nil {
		t.Errorf("group: got %d, %v, want 0", gid, err)
	}
	if len(c.Listeners("smtp", "imap")) != 2 {
		t.Errorf("got %+v, want the usual services beside LMTP", c.Listen)
	}
}

// TestDirectives has a good and a bad value for every directive of the table.
func TestDirectives(t *testing.T) {
	samples := map[string]struct{ good, bad string }{
		"hostname": {"mx.example.org", "mx..example"}, "domain": {"a.example b.example", "a b_@"}, "relay-domain": {"a.example b.example", "a b_@"},
		"tls": {"/etc/x.pem /etc/y.pem", "x.pem"}, "mail-root": {"/mail", "mail"}, "index-dir": {"/var/cache/posthorn", "cache"}, "postmaster": {"ann@example.org", "ann"}, "public-folders": {"public@example.org", "public"},
		"relay-from": {"127.0.0.0/8 ::1 192.0.2.1", "example.org"}, "system-users": {"yes", "maybe"}, "min-uid": {"500", "0"},
		"create-homes": {"yes", "1"}, "mail-shared": {"yes", "true"}, "at-once": {"yes", "1"}, "node": {"a", "a/b"}, "recipient-delimiter": {"+-", "§"},
		"listen": {"smtp 127.0.0.1:0", "smtp here:25"}, "smarthost": {"default [a.example]:25 ca=/x tls=may", "someone [a]:1"},
		"users": {"/u", "u"}, "aliases": {"/a", "a"}, "transport": {"/t", ""}, "spool": {"/s", "s"}, "run-dir": {"/r", "r"},
		"libexec": {"/l", "l"}, "process-user": {"smtpd 61001:61001", "nobody x"},
		"process-group": {"sockets 61000", "wheel 0"}, "landlock": {"require", "perhaps"}, "mailq-users": {"root 33 *", "a:b"}, "message-size": {"100M", "1X"}, "message-limit": {"1000 save", "999"},
		"max-recipients": {"2000", "5"}, "max-received": {"30", "0"}, "bare-newline": {"normalize", "keep"},
		"connections": {"5", "0"}, "connections-per-client": {"5", "-1"}, "sessions-per-user": {"5", "0"}, "timeout": {"30s", "30"}, "login-timeout": {"30s", "5y"},
		"idle-timeout": {"1h", "1s"}, "pop3": {"uidl=UID%u-%v fetched=30d deleted=hide", "fetched=flagged"}, "resolver": {"127.0.0.1 127.0.0.1:5353 [::1]:53", "dns.example"}, "remote-port": {"2525", "0"},
		"remote-tls": {"require", "dane"}, "remote-bind": {"192.0.2.1", "eth0"}, "remote-concurrency": {"5", "0"},
		"destination-concurrency": {"5", "x"}, "deliver-concurrency": {"5", "65"}, "connect-timeout": {"5s", "0"},
		"remote-timeout": {"5s", "s"}, "retry": {"1s 2s", "0"}, "retry-jitter": {"0", "101"}, "expire": {"1h", "1"},
		"bounce-expire": {"1h", "31d"}, "bounce-size": {"0", "2G"}, "delay-warning": {"0", "x"}, "auth-mechanisms": {"PLAIN scram-sha-256", "cram-md5"},
		"token-helper": {"/usr/local/libexec/token", "token"}, "tls-clients": {"/etc/posthorn/clients.pem", "clients.pem"},
		"auth-workers": {"4", "0"}, "auth-failures": {"3", "0"},
		"auth-window": {"1m", "0"}, "auth-delay": {"0", "2m"}, "ticket-life": {"5s", "2m"}, "plaintext-login": {"no", "lan"},
		"quota":       {"1G messages=1000 mailboxes=50", "1G folders=3"},
		"autoexpunge": {"Trash 30d seen", "Trash 30"},
		"undelete":    {"7d", "4000d"},
		"special-use": {`"Gesendete Objekte" \Sent`, `Sent Sent`},
	}
	for _, d := range Directives() {
		s, ok := samples[d.Name]
		if !ok || d.Help == "" || d.Args == "" {
			t.Errorf("%s: no sample, help or synopsis", d.Name)
			continue
		}
		base := strings.ReplaceAll(minimal, d.Name+" ", "# ")
		if d.Name == "hostname" || d.Name == "domain" {
			base = strings.ReplaceAll(base, "# ", "# no ")
		}
		if _, err := load(t, base+d.Name+" "+s.good+"\n"); err != nil {
			t.Errorf("%s %s: got %v", d.Name, s.good, err)
		}
		if _, err := load(t, base+d.Name+" "+s.bad+"\n"); err == nil {
			t.Errorf("%s %s: got no error", d.Name, s.bad)
		}
	}
	if len(samples) != len(directives) {
		t.Errorf("got %d samples for %d directives", len(samples), len(directives))
	}
}

func TestSpecialUse(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  map[string][]string
	}{
		{"", map[string][]string{"Drafts": {`\Drafts`}, "Junk": {`\Junk`}, "Trash": {`\Trash`}, "Sent": {`\Sent`}, "Sent Messages": {`\Sent`}}},
		{"special-use none\n", map[string][]string{}},
		{"special-use \"Alle Mails\" \\all \\Archive\nspecial-use none \\Junk\n", map[string][]string{"Alle Mails": {`\All`, `\Archive`}, "none": {`\Junk`}}},
	} {
		c, err := load(t, minimal+tt.lines)
		if err != nil || !reflect.DeepEqual(c.SpecialUse, tt.want) {
			t.Errorf("%q: got %v, %v, want %v", tt.lines, c.SpecialUse, err, tt.want)
		}
	}
	for _, line := range []string{"special-use Sent", `special-use Sent \Seen`, `special-use Sent \Sent a=b`, "special-use"} {
		if _, err := load(t, minimal+line+"\n"); err == nil {
			t.Errorf("%s: got no error", line)
		}
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "posthorn.conf")
	os.Mkdir(filepath.Join(dir, "conf.d"), 0o755)
	os.WriteFile(main, []byte(minimal+"include conf.d/*.conf\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "conf.d", "a.conf"), []byte("postmaster ann@example.org\n"), 0o644)
	c, err := Load(main)
	if err != nil || c.Postmaster != "ann@example.org" {
		t.Errorf("got %v, want the included postmaster", err)
	}
	if want := []string{dir, filepath.Join(dir, "conf.d")}; err == nil && !slices.Equal(c.Folders, want) {
		t.Errorf("folders: got %v, want %v", c.Folders, want)
	}
	os.WriteFile(filepath.Join(dir, "conf.d", "a.conf"), []byte("include a.conf\n"), 0o644)
	if _, err := Load(main); err == nil {
		t.Error("a file that includes itself: got no error")
	}
}

func TestReload(t *testing.T) {
	path := write(t, "posthorn.conf", minimal)
	old, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, []byte(minimal+"max-received 20\nspool /elsewhere\n"), 0o644)
	fresh, err := old.Reload()
	if err != nil || fresh.MaxReceived != 20 {
		t.Fatalf("got %v, want the new number", err)
	}
	if got := old.NeedsRestart(fresh); !reflect.DeepEqual(got, []string{"spool"}) {
		t.Errorf("needs a restart: got %q, want spool only", got)
	}
}

func TestSecret(t *testing.T) {
	path := write(t, "relay", "me:secret\n")
	if _, err := Secret("@" + path); err == nil {
		t.Error("a file that all can read: got no error")
	}
	os.Chmod(path, 0o640)
	if got, err := Secret("@" + path); got != "me:secret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Secret("me:secret"); err == nil {
		t.Error("a plain value: got no error")
	}
}

// TestWhoseInstance: a uid that one of the processes has is that of an
// installation, any other but root's is an ordinary user with his own.
func TestWhoseInstance(t *testing.T) {
	several, one := minimal, minimal
	for i, p := range processes {
		several += fmt.Sprintf("process-user %s %d\n", p.name, 61001+i)
		one += fmt.Sprintf("process-user %s 61001\n", p.name)
	}
	for _, tc := range []struct {
		name, text string
		uid        int
		own        bool
	}{
		{"root", several, 0, false},
		{"the first process", several, 61001, false},
		{"the last process", several, 61000 + len(processes), false},
		{"somebody else", several, 61000, true},
		{"all are one", one, 61001, true},
		{"somebody else where all are one", one, 61002, true},
		{"a user is missing", several + "process-user pop3d nobody-has-this-name\n", 61001, true},
		{"a user is missing for root", several + "process-user pop3d nobody-has-this-name\n", 0, false},
	} {
		c, err := load(t, tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if c.ids = lookUpIdentities(c, tc.uid); c.Private() != tc.own {
			t.Errorf("%s: got an ordinary user's instance %v, want %v", tc.name, c.Private(), tc.own)
		}
	}
}

func TestIdentities(t *testing.T) {
	c, err := load(t, minimal+"process-user smtpd 61001:61002\nprocess-group sockets 61010\nprocess-group incoming 61011\nprocess-group tls 61012\n")
	if err != nil {
		t.Fatal(err)
	}
	own, err := c.Identity("smtpd")
	if os.Geteuid() != 0 {
		if err != nil || own.UID != os.Geteuid() || !c.Private() {
			t.Errorf("own instance: got %+v, %v", own, err)
		}
		return
	}
	if want := (Identity{61001, 61002, []int{61010, 61011, 61012}}); err != nil || !reflect.DeepEqual(own, want) {
		t.Errorf("got %+v, %v, want %+v", own, err, want)
	}
	if uids, err := c.PeerUIDs("smtpd", "root"); err != nil || !reflect.DeepEqual(uids, []int{61001, 0}) {
		t.Errorf("peers: got %v, %v", uids, err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(minimal)
	f.Add("listen smtp *:25 milter=\"a b\"\n  more\n# x\n")
	f.Fuzz(func(t *testing.T, s string) {
		lines, err := scan("f", strings.NewReader(s))
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.name == "" && !strings.Contains(s, `""`) {
				t.Errorf("%q: a directive without a name", s)
			}
			if l.pos.Line < 1 || l.pos.Line > strings.Count(s, "\n")+1 {
				t.Errorf("%q: line %d", s, l.pos.Line)
			}
		}
	})
}
