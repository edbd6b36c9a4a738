package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/password"
	"posthorn/internal/verdict"
	"posthorn/test/scram"
)

// pencil is the password of RFC 7677 3, as the salt and rounds there make it.
const pencil = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

const saslUsers = loginUsers + "user:" + pencil + "\nfar:" + pencil + "::::::allow_nets=198.51.100.0/24\n"

// saslSite is loginSite with users who have keys.
func saslSite(t *testing.T, extra string) (*site, *service, *directory.Client) {
	t.Helper()
	s := newSite(t, "auth-delay 0s\n"+extra, saslUsers, "")
	svc := s.service(t)
	return s, svc, s.serve(t, svc)
}

var channel = []byte("0123456789abcdef0123456789abcdef")

// begin is the first step of a client over TLS.
func begin(mechanism string, response []byte) directory.Step {
	return directory.Step{Service: "imap", Mechanism: mechanism, Client: home, TLS: true, TLSExporter: channel, Response: response}
}

// follow takes the steps of a client that says each response, and returns the
// challenges and who has logged in or why nobody has.
func follow(t *testing.T, c *directory.Client, first directory.Step, responses ...string) string {
	t.Helper()
	var said []string
	for step := first; ; {
		ch, err := c.SASL(t.Context(), step)
		if err != nil {
			return strings.Join(append(said, outcome(err)), " | ")
		}
		if ch.Exchange == "" {
			if len(ch.Ticket) != 32 {
				t.Errorf("got the ticket %q, want 128 bits", ch.Ticket)
			}
			return strings.Join(append(said, ch.User), " | ")
		}
		said = append(said, string(ch.Text))
		if len(responses) == 0 {
			return strings.Join(said, " | ")
		}
		step = directory.Step{Exchange: ch.Exchange, Response: []byte(responses[0])}
		responses = responses[1:]
	}
}

const senseless = "never 5.5.2 malformed response"

func TestPlainAndLogin(t *testing.T) {
	_, _, c := saslSite(t, "auth-failures 1000\n")
	for _, tc := range []struct {
		name, mechanism string
		initial         any
		responses       []string
		want            string
	}{
		{"plain", "PLAIN", "\x00ann\x00secret", nil, "ann@example.org"},
		{"plain in two steps", "PLAIN", nil, []string{"\x00ann\x00secret"}, " | ann@example.org"},
		{"plain, in small letters", "plain", "\x00ann\x00secret", nil, "ann@example.org"},
		{"plain with keys", "PLAIN", "\x00user\x00pencil", nil, "user@example.org"},
		{"plain with keys, wrong", "PLAIN", "\x00user\x00pencils", nil, wrong},
		{"as oneself", "PLAIN", "ANN@example.org\x00ann\x00secret", nil, "ann@example.org"},
		{"as another", "PLAIN", "bob\x00ann\x00secret", nil, wrong},
		{"wrong", "PLAIN", "\x00ann\x00x", nil, wrong},
		{"unknown", "PLAIN", "\x00zoe\x00x", nil, wrong},
		{"long", "PLAIN", "\x00ann\x00" + strings.Repeat("x", 2000), nil, wrong},
		{"empty", "PLAIN", "", nil, senseless},
		{"empty later", "PLAIN", nil, []string{""}, " | " + senseless},
		{"no user", "PLAIN", "\x00\x00secret", nil, senseless},
		{"no password", "PLAIN", "\x00ann\x00", nil, senseless},
		{"two parts", "PLAIN", "ann\x00secret", nil, senseless},
		{"four parts", "PLAIN", "\x00ann\x00secret\x00", nil, senseless},
		{"login", "LOGIN", nil, []string{"ann", "secret"}, "Username: | Password: | ann@example.org"},
		{"login with user", "LOGIN", "ann", []string{"secret"}, "Password: | ann@example.org"},
		{"login, wrong", "LOGIN", "ann", []string{"x"}, "Password: | " + wrong},
		{"login without password", "LOGIN", "ann", []string{""}, "Password: | " + wrong},
		{"login, long", "LOGIN", strings.Repeat("x", 1025), nil, senseless},
		{"another", "CRAM-MD5", nil, nil, "never 5.5.4 mechanism is not offered"},
		{"none", "", nil, nil, "never 5.5.4 mechanism is not offered"},
	} {
		var response []byte
		if text, ok := tc.initial.(string); ok {
			response = []byte(text)
		}
		if got := follow(t, c, begin(tc.mechanism, response), tc.responses...); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// prove leads a client through SCRAM and returns who it is then, or why nobody.
// change, unless nil, is what somebody in between makes of client-final-message.
func prove(t *testing.T, c *directory.Client, mechanism string, client *scram.Client, change func(string) string) string {
	t.Helper()
	ch, err := c.SASL(t.Context(), begin(mechanism, []byte(client.First())))
	if err != nil {
		return outcome(err)
	}
	final, err := client.Final(string(ch.Text))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		final = change(final)
	}
	if ch, err = c.SASL(t.Context(), directory.Step{Exchange: ch.Exchange, Response: []byte(final)}); err != nil {
		return outcome(err)
	}
	if err := client.Check(string(ch.Text)); err != nil {
		t.Error(err)
	}
	if ch, err = c.SASL(t.Context(), directory.Step{Exchange: ch.Exchange}); err != nil {
		return outcome(err)
	}
	return ch.User + " " + fmt.Sprint(len(ch.Ticket))
}

func TestScram(t *testing.T) {
	s, _, c := saslSite(t, "auth-failures 1000\n")
	const plus, plain, in = "p=tls-exporter,,", "n,,", "user@example.org 32"
	for _, tc := range []struct {
		name, mechanism, user, password, header string
		binding                                 []byte
		change                                  func(string) string
		want, reason                            string
	}{
		{"right", mechScram, "user", "pencil", plain, nil, nil, in, ""},
		{"in capitals", mechScram, "USER@Example.org", "pencil", plain, nil, nil, in, ""},
		{"as oneself", mechScram, "user", "pencil", "n,a=user@example.org,", nil, nil, in, ""},
		{"bound", mechScramPlus, "user", "pencil", plus, channel, nil, in, ""},
		{"wrong password", mechScram, "user", "pencils", plain, nil, nil, wrong, "password"},
		{"unknown user", mechScram, "zoe", "pencil", plain, nil, nil, wrong, "unknown"},
		{"user without keys", mechScram, "ann", "secret", plain, nil, nil, wrong, "unknown"},
		{"locked user", mechScram, "locked", "!", plain, nil, nil, wrong, "unknown"},
		{"unknown domain", mechScram, "user@remote.example", "pencil", plain, nil, nil, wrong, "unknown"},
		{"from elsewhere only", mechScram, "far", "pencil", plain, nil, nil, wrong, "closed"},
		{"no name", mechScram, "../x", "pencil", plain, nil, nil, wrong, "malformed"},
		{"as another", mechScram, "user", "pencil", "n,a=ann,", nil, nil, wrong, "malformed"},
		{"a downgrade", mechScram, "user", "pencil", "y,,", nil, nil, wrong, "binding"},
		{"another channel", mechScramPlus, "user", "pencil", plus, []byte("another"), nil, wrong, "binding"},
		{"no channel", mechScramPlus, "user", "pencil", plus, nil, nil, wrong, "binding"},
		{"another header", mechScram, "user", "pencil", plain, []byte("x"), nil, wrong, "binding"},
		{"another type of channel", mechScramPlus, "user", "pencil", "p=tls-unique,,", channel, nil, senseless, ""},
		{"plus without a channel's name", mechScramPlus, "user", "pencil", plain, nil, nil, senseless, ""},
		{"a channel's name without plus", mechScram, "user", "pencil", plus, channel, nil, senseless, ""},
		{"no header", mechScram, "user", "pencil", "", nil, nil, senseless, ""},
		{"a proof cut short", mechScram, "user", "pencil", plain, nil, func(s string) string { return s[:len(s)-4] }, wrong, "password"},
		{"no proof", mechScram, "user", "pencil", plain, nil, func(s string) string { return strings.Split(s, ",p=")[0] }, senseless, ""},
		{"another nonce", mechScram, "user", "pencil", plain, nil, func(s string) string { return strings.Replace(s, ",r=a", ",r=b", 1) }, senseless, ""},
		{"nothing", mechScram, "user", "pencil", plain, nil, func(string) string { return "" }, senseless, ""},
	} {
		before := len(s.log.String())
		client := &scram.Client{User: tc.user, Password: tc.password, Nonce: "abc", Header: tc.header, Binding: tc.binding}
		if got := prove(t, c, tc.mechanism, client, tc.change); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		if got := logged(s.log.String()[before:]); got != tc.reason {
			t.Errorf("%s: got the reason %q in the log, want %q", tc.name, got, tc.reason)
		}
	}
}

// logged returns the reason in a line of the log, or "".
func logged(line string) string {
	_, reason, _ := strings.Cut(strings.TrimSpace(line), " reason=")
	return reason
}

// TestScramFirst: what cannot be read is refused, whoever is meant.
func TestScramFirst(t *testing.T) {
	_, _, c := saslSite(t, "")
	for _, text := range []string{
		"", ",", "n", "n,", "n,,", "n,,n=user", "n,,r=abc", "n,,n=user,r=", "n,,n=,r=abc", "n,,r=abc,n=user", "n,,m=x,n=user,r=abc",
		"n,,n=us=er,r=abc", "n,,n=user=2c,r=abc", "n,,n=user,r=a\x7fb", "n,,n=user,r=a b", "n,,n=user\x00,r=abc", "n,,n=\xff,r=abc", "z,,n=user,r=abc",
		"n,user,n=user,r=abc", "n,a=,n=user,r=abc", "p=,,n=user,r=abc", "n,,n=user,r=" + strings.Repeat("x", 1024),
	} {
		if got := follow(t, c, begin(mechScram, []byte(text))); got != senseless {
			t.Errorf("%q: got %q, want %q", text, got, senseless)
		}
	}
	// Extensions that need not be known are passed over (RFC 5802 5.1).
	if got := follow(t, c, begin(mechScram, []byte("n,,n=user,r=abc,x=y"))); !strings.HasPrefix(got, "r=abc") {
		t.Errorf("an extension: got %q, want a challenge", got)
	}
}

// TestScramOfRFC7677 is the example of section 3.
func TestScramOfRFC7677(t *testing.T) {
	_, svc, c := saslSite(t, "")
	svc.nonce = func() string { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" }
	got := follow(t, c, begin(mechScram, []byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")),
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "")
	const want = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" +
		" | v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4= | user@example.org"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestStrangersLookLikeUsers: the challenge of who is no user has the same form
// and the same salt each time.
func TestStrangersLookLikeUsers(t *testing.T) {
	_, _, c := saslSite(t, "")
	challenge := func(user string) []string {
		return strings.Split(follow(t, c, begin(mechScram, []byte("n,,n="+user+",r=abc"))), ",")
	}
	user, zoe, again, zac := challenge("user"), challenge("zoe"), challenge("zoe"), challenge("zac")
	if zoe[1] != again[1] || zoe[1] == zac[1] || len(zoe[1]) != len(user[1]) || zoe[2] != user[2] || zoe[0] == again[0] {
		t.Errorf("got %q, %q and %q, want challenges like %q", zoe, again, zac, user)
	}
}

// TestStrangersAfterAStart: a restart, and users who come and go, leave strangers their
// salts, as they leave users theirs.
func TestStrangersAfterAStart(t *testing.T) {
	salts := func(users string) (all []string) {
		a, err := parseAccounts("users", []byte(users), "example.org", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"zoe", "zac"} {
			all = append(all, string(password.NoKeys(a.keys, a.secret, user).Salt))
		}
		return all
	}
	lines, all := make([]string, 10), ""
	for i := range lines {
		keys, err := password.MakeKeys(fmt.Sprint("password ", i))
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = fmt.Sprintf("user%d:%s\n", i, keys)
		all += lines[i]
	}
	want, others := salts(all), 0
	for _, line := range lines {
		if got := salts(strings.Replace(all, line, "", 1)); !slices.Equal(got, want) {
			others++
		}
	}
	if got := salts(all); !slices.Equal(got, want) || got[0] == got[1] || others != 1 {
		t.Errorf("got the salts %q, then %q, and others without %d of the users, want the same but without one", want, got, others)
	}
}

// TestScramIsGuarded: failures count, and then the right proof fails too.
func TestScramIsGuarded(t *testing.T) {
	s, _, c := saslSite(t, "auth-failures 3\n")
	try := func(password string) string {
		return prove(t, c, mechScram, &scram.Client{User: "user", Password: password, Nonce: "abc", Header: "n,,"}, nil)
	}
	for range 3 {
		try("x")
	}
	if got := try("pencil"); got != wrong {
		t.Errorf("got %q, want %q", got, wrong)
	}
	if got := logged(s.log.String()[strings.LastIndex(strings.TrimSpace(s.log.String()), "\n")+1:]); got != "guard" {
		t.Errorf("got the reason %q, want guard", got)
	}
}

// TestExchangesAreGoodOnce, for whom they were begun, and not for long.
func TestExchangesAreGoodOnce(t *testing.T) {
	_, svc, c := saslSite(t, "")
	const late = "later 4.7.0 login took too long, begin again"
	ch, err := c.SASL(t.Context(), begin("LOGIN", []byte("ann")))
	if err != nil {
		t.Fatal(err)
	}
	if got := follow(t, c, directory.Step{Exchange: ch.Exchange, Response: []byte("secret")}); got != "ann@example.org" {
		t.Errorf("got %q, want ann", got)
	}
	for _, name := range []string{ch.Exchange, "x"} {
		if got := follow(t, c, directory.Step{Exchange: name, Response: []byte("secret")}); got != late {
			t.Errorf("%s: got %q, want %q", name, got, late)
		}
	}
	if ch, err = c.SASL(t.Context(), begin("LOGIN", []byte("ann"))); err != nil {
		t.Fatal(err)
	}
	if _, ok := svc.exchanges.take(ch.Exchange, -2); ok {
		t.Error("got an exchange of another daemon")
	}
	now := time.Now()
	svc.exchanges.now = func() time.Time { return now }
	name := svc.exchanges.put(&exchange{owner: 7})
	now = now.Add(exchangeLife)
	if _, ok := svc.exchanges.take(name, 7); ok {
		t.Error("got an exchange that is too old")
	}
}

// TestMechanisms: what nobody could use is not announced, and not taken.
func TestMechanisms(t *testing.T) {
	for _, tc := range []struct{ name, extra, users, want string }{
		{"nobody has keys", "", "ann:" + md5Secret + "\n", "PLAIN LOGIN"},
		{"a helper for tokens", "token-helper /bin/true\n", "ann:" + md5Secret + "\n", "PLAIN LOGIN OAUTHBEARER XOAUTH2"},
		{"certificates, which nobody has", "tls-clients /c.pem\n", "ann:" + md5Secret + "\n", "PLAIN LOGIN"},
		{"certificates, which nobody is asked for", "", "ann:" + md5Secret + "::::::certificate=a\n", "PLAIN LOGIN"},
		{"certificates", "tls-clients /c.pem\n", "ann:" + md5Secret + "::::::certificate=a\n", "PLAIN LOGIN EXTERNAL"},
		{"somebody has", "", "ann:" + md5Secret + "\nuser:" + pencil + "\n", "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"},
		{"not allowed", "auth-mechanisms scram-sha-256\n", "user:" + pencil + "\n", "SCRAM-SHA-256"},
		{"nothing is left", "auth-mechanisms scram-sha-256\n", "ann:" + md5Secret + "\n", ""},
	} {
		s := newSite(t, tc.extra, tc.users, "")
		c := s.serve(t, s.service(t))
		got, err := c.Mechanisms(t.Context(), "imap")
		if strings.Join(got, " ") != tc.want || err != nil {
			t.Errorf("%s: got %v, %v, want %s", tc.name, got, err, tc.want)
		}
		for _, name := range []string{mechPlain, mechLogin, mechScram, mechScramPlus, mechBearer, mechXOAuth2, mechExternal} {
			_, err := c.SASL(t.Context(), begin(name, nil))
			if want := strings.Contains(" "+tc.want+" ", " "+name+" "); (err == nil) != want {
				t.Errorf("%s: %s: got %v, want it taken: %v", tc.name, name, err, want)
			}
		}
		_, err = c.Login(t.Context(), credentials("ann", "secret"))
		if v := verdict.Of(err); strings.Contains(tc.want, mechPlain) == (v.Status == "5.7.4") {
			t.Errorf("%s: a login without mechanism: got %v", tc.name, err)
		}
	}
}

// TestDowngradeIsNone where channel binding is not offered.
func TestDowngradeIsNone(t *testing.T) {
	_, _, c := saslSite(t, "auth-mechanisms scram-sha-256\n")
	if got := prove(t, c, mechScram, &scram.Client{User: "user", Password: "pencil", Nonce: "abc", Header: "y,,"}, nil); got != "user@example.org 32" {
		t.Errorf("got %q, want user", got)
	}
}

// FuzzSASL feeds responses to each mechanism. Without the password nobody
// logs in, and every challenge goes to an exchange that goes on.
func FuzzSASL(f *testing.F) {
	f.Add("PLAIN", "\x00ann\x00x", "", "")
	f.Add("LOGIN", "ann", "x", "")
	f.Add(mechScram, "n,,n=user,r=abc", "c=biws,r=abc,p=AAAA", "")
	f.Add(mechBearer, "n,a=user@example.org,\x01host=x\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01", "\x01", "")
	f.Add(mechXOAuth2, "user=ann\x01auth=Bearer x\x01\x01", "", "")
	f.Add(mechExternal, "ann", "", "")
	f.Add(mechScramPlus, "p=tls-exporter,a=user,n=user,r=abc", "c=,r=abc,x=,p=", "")
	s := newSite(f, "auth-delay 0s\nauth-failures 10000\ntoken-helper /bin/true\ntls-clients /etc/clients.pem\n", saslUsers+"lap:"+md5Secret+"::::::certificate=laptop-7\n", "")
	svc := s.service(f)
	svc.askToken = func(context.Context, string) (string, error) { return "", nil }
	svc.nonce = func() string { return "server" }
	f.Fuzz(func(t *testing.T, mechanism, first, second, third string) {
		b64 := base64.StdEncoding.EncodeToString
		req := attr.List{{Name: "service", Value: "imap"}, {Name: "mechanism", Value: mechanism}, {Name: "client", Value: netip.IPv6Loopback().String()},
			{Name: "tls", Value: "yes"}, {Name: "tls-exporter", Value: b64(channel)}, {Name: "response", Value: b64([]byte(first))}}
		for _, next := range []string{second, third, ""} {
			answer, err := svc.sasl(context.Background(), 1, req)
			if err == nil && answer.Get("ticket") != "" {
				if !strings.Contains(first+second+third, "secret") && !strings.Contains(first+second+third, "pencil") {
					t.Errorf("got %v without a password", answer)
				}
				return
			}
			if err != nil {
				return
			}
			req = attr.List{{Name: "exchange", Value: answer.Get("exchange")}, {Name: "response", Value: b64([]byte(next))}}
		}
	})
}
