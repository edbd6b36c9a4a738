package tables

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const usersTable = `# accounts
ann:{PLAIN}one:::Ann::
Bob@Example.NET:$6$salt$hash:1001:1001:Bob,,,:/home/bob:/bin/sh:userdb_mail=maildir:~/Mail userdb_quota_rule=*:bytes=1M

carl:!::::::nologin allow_nets=192.0.2.0/24,2001:db8::1
dora:{PLAIN}four
eve::::::: userdb_mail=maildir:/srv/%d/%n/Maildir:INDEX=/tmp/x
`

func TestParseUsers(t *testing.T) {
	u, err := ParseUsers("users", []byte(usersTable), "example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, password, home, mail string
		uid, line                  int
		nologin                    bool
	}{
		{"ann@example.org", "{PLAIN}one", "/var/mail/example.org/ann", "/var/mail/example.org/ann/Maildir", -1, 2, false},
		{"bob@example.net", "$6$salt$hash", "/home/bob", "/home/bob/Mail", 1001, 3, false},
		{"carl@example.org", "!", "/var/mail/example.org/carl", "/var/mail/example.org/carl/Maildir", -1, 5, true},
		{"dora@example.org", "{PLAIN}four", "/var/mail/example.org/dora", "/var/mail/example.org/dora/Maildir", -1, 6, false},
		{"eve@example.org", "", "/var/mail/example.org/eve", "/srv/example.org/eve/Maildir", -1, 7, false},
	} {
		got, ok := u.Lookup(tc.name)
		home, mail := got.Paths("/var/mail")
		if !ok || got.Password != tc.password || got.UID != tc.uid || got.GID != tc.uid || home != tc.home || mail != tc.mail ||
			got.Place.Line != tc.line || got.NoLogin != tc.nologin {
			t.Errorf("%s: got %v %+v %s %s, want %+v", tc.name, ok, got, home, mail, tc)
		}
	}
	carl, _ := u.Lookup("carl@example.org")
	if want := netip.MustParsePrefix("2001:db8::1/128"); len(carl.AllowNets) != 2 || carl.AllowNets[1] != want {
		t.Errorf("got %v, want a network and %v", carl.AllowNets, want)
	}
	var names []string
	for user := range u.All() {
		names = append(names, user.Name)
	}
	if got, want := strings.Join(names, " "), "ann@example.org bob@example.net carl@example.org dora@example.org eve@example.org"; got != want || u.Len() != 5 {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseUsersRefuses(t *testing.T) {
	check := func(stored string) error {
		if stored == "{BAD}" {
			return errors.New("found a bad hash")
		}
		return nil
	}
	for _, tc := range []struct{ name, line, want string }{
		{"no colon", "ann", "found no colon"},
		{"empty user", "a:x\nb: x\n: skipped\n@example.org:x", "users:4: found the user"},
		{"slash", "a/b:x", "no slash"},
		{"leaves its folder", "../x@example.org:x", "found the user"},
		{"dot", ".ann@example.org:x", "found the user"},
		{"quoted", `"a b"@example.org:x`, "found the user"},
		{"literal", "ann@[127.0.0.1]:x", "found the user"},
		{"twice", "ann:x\nANN@example.org:y", "users:2: found the user ann@example.org again, who stands in line 1"},
		{"uid is a name", "ann:x:vmail:vmail", "found the uid"},
		{"root", "ann:x:0:0", "found the uid"},
		{"nobody", "ann:x:65534:65534", "found the uid"},
		{"negative", "ann:x:-1:5", "found the uid"},
		{"uid alone", "ann:x:1000:", "both or neither"},
		{"relative home", "ann:x::::home/ann", "absolute path"},
		{"home with ..", "ann:x::::/home/../etc", "absolute path"},
		{"mbox", "ann:x::::::userdb_mail=mbox:~/mail", "expected maildir:"},
		{"relative mail", "ann:x::::::userdb_mail=maildir:Mail", "absolute path"},
		{"mail leaves", "ann:x::::::userdb_mail=maildir:~/../bob", "absolute path"},
		{"unknown variable", "ann:x::::::userdb_mail=maildir:/srv/%{user}", "%h, %u"},
		{"other layout", "ann:x::::::userdb_mail=maildir:~/Mail:LAYOUT=fs", "Maildir++"},
		{"POP3 as nobody has it", "ann:x::::::pop3=fetched=soon", "expected keep, seen or days"},
		{"a certificate without a name", "ann:x::::::certificate=", "expected an e-mail address"},
		{"a certificate of two", "ann:x::::::certificate=A@x.org certificate=b\nbob:x::::::certificate=a@X.org", "which is ann@"},
		{"unknown passdb field", "ann:x::::::nopassword=y", "found the extra field"},
		{"bad network", "ann:x::::::allow_nets=here", "allow_nets"},
		{"no group", "ann:x::::::userdb_acl_groups=staff,", "userdb_acl_groups"},
		{"many groups", "ann:x::::::userdb_acl_groups=" + strings.Repeat("a,", 256) + "a", "found 257 names"},
		{"no capability", "ann:x::::::imap_off=COMPRESS=DEFLATE,,IDLE", "imap_off"},
		{"bad capability", "ann:x::::::imap_off=a\x60b", "imap_off"},
		{"many capabilities", "ann:x::::::imap_off=" + strings.Repeat("A,", 64) + "A", "found 65 capabilities"},
		{"bad hash", "ann:{BAD}", "users:1: found a bad hash"},
		{"carriage return", "ann:x\r", "control character"},
		{"NUL", "ann:x\x00", "control character"},
		{"not UTF-8", "ann:\xff", "not UTF-8"},
		{"long", "ann:" + strings.Repeat("x", MaxLine), "bytes, expected at most"},
	} {
		u, err := ParseUsers("users", []byte(tc.line+"\n"), "example.org", check)
		if err == nil {
			t.Errorf("%s: got %d users, want an error", tc.name, u.Len())
		} else if !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "users:") {
			t.Errorf("%s: got %q, want it to name the line and say %q", tc.name, err, tc.want)
		}
	}
}

func TestAllFaultsAreTold(t *testing.T) {
	_, err := ParseUsers("users", []byte("ann\nbob:x\ncarl:x:1\n"), "example.org", nil)
	if err == nil || !strings.Contains(err.Error(), "users:1: ") || !strings.Contains(err.Error(), "users:3: ") {
		t.Errorf("got %v, want lines 1 and 3", err)
	}
	_, err = ParseUsers("users", []byte(strings.Repeat("bad\n", 100_000)), "example.org", nil)
	if n := strings.Count(fmt.Sprint(err), "\n"); n >= maxErrors {
		t.Errorf("got %d lines of errors, want at most %d", n+1, maxErrors)
	}
}

func TestFileLimits(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{big: "more than", dir: "no regular file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := LoadUsers(path, "example.org", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

func FuzzUsers(f *testing.F) {
	f.Add([]byte(usersTable))
	f.Add([]byte("ann:x::::::userdb_mail=maildir:~/%u:INDEX=x allow_nets=::/0\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		u, err := ParseUsers("users", content, "example.org", nil)
		if err != nil {
			return
		}
		for user := range u.All() {
			home, mail := user.Paths("/var/mail")
			if !cleanPath(home) || !cleanPath(mail) || user.UID == 0 || strings.ContainsAny(user.Name, "/\n\x00 ") {
				t.Errorf("got %+v with home %q and mail %q", user, home, mail)
			}
		}
	})
}
