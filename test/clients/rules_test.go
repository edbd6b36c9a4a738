package clients

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

func TestSwaksAndCurl(t *testing.T) {
	suite.Need(t, "swaks", "curl")
	i := suite.Server(t, instance.Options{})
	out := suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", suite.Bob, "--header", "Subject: by port 25")
	if !strings.Contains(out, "<-  250 2.0.0 ") {
		t.Errorf("swaks: got %s, want a 250 with the id", out)
	}
	suite.Must(t, "", "swaks", "--server", i.Addr["submission"], "--tls", "--auth", "LOGIN", "--auth-user", suite.Ann, "--auth-password", instance.Password,
		"--from", suite.Ann, "--to", suite.Bob+","+suite.Eve, "--header", "Subject: by submission")
	suite.Eventually(t, "two messages in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 2 })
	suite.Eventually(t, "one at the foreign host", func() bool { return len(suite.SinkFiles(i)) == 1 })

	login := suite.Bob + ":" + instance.Password
	for _, url := range []string{"imaps://" + i.Addr["imaps"] + "/INBOX;MAILINDEX=1", "imap://" + i.Addr["imap"] + "/INBOX;MAILINDEX=1",
		"pop3s://" + i.Addr["pop3s"] + "/1", "pop3://" + i.Addr["pop3"] + "/1"} {
		out := suite.Must(t, "", "curl", "-sS", "-k", "--ssl-reqd", "--user", login, url)
		if !strings.Contains(out, "Subject: by port 25") || !strings.Contains(out, "Received: ") {
			t.Errorf("curl %s: got %s, want the first message", url, out)
		}
	}
}

func TestSubmissionRules(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{})
	asAnn := []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", instance.Password}
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"port 25 relays nothing", " 550 5.7.1", []string{"--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "x@elsewhere.test"}},
		{"unknown users are refused", " 550 5.1.1", []string{"--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "nobody@" + instance.Domain}},
		{"no login without TLS", "*** Host did not advertise authentication", []string{"--server", i.Addr["submission"], "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", instance.Password, "--from", suite.Ann, "--to", suite.Bob}},
		{"no mail without login", " 530 5.7.0", []string{"--server", i.Addr["submission"], "--tls", "--from", suite.Ann, "--to", suite.Bob}},
		{"a foreign sender", " 5.7.1", append([]string{"--from", suite.Bob, "--to", suite.Eve}, asAnn...)},
		{"a wrong password", " 535 5.7.8", []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", "wrong", "--from", suite.Ann, "--to", suite.Bob}},
	} {
		out, err := suite.Command(t, "", "swaks", tc.args...)
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: got %v, want a refusal with %q:\n%s", tc.name, err, tc.want, out)
		}
	}
	suite.Must(t, "", "swaks", append([]string{"--from", "<>", "--to", suite.Bob}, asAnn...)...)
	suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "postmaster@"+instance.Domain)
}

func TestPython(t *testing.T) {
	suite.Need(t, "python3")
	i := suite.Server(t, instance.Options{})
	script := filepath.Join("testdata", "clients.py")
	out := suite.Must(t, "", "python3", script, port(i, "smtp"), port(i, "submissions"), port(i, "imap"), port(i, "imaps"), port(i, "pop3"), port(i, "pop3s"))
	if !strings.Contains(out, "all good") {
		t.Errorf("got %s", out)
	}
}

func port(i *instance.Instance, service string) string {
	_, p, _ := net.SplitHostPort(i.Addr[service])
	return p
}
