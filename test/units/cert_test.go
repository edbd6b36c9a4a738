package units

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// serial returns what tells apart the certificate that a service shows.
func serial(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// session is an IMAP session over TLS.
type session struct {
	*tls.Conn
	in *bufio.Reader
	n  int
}

func (s *session) command(t *testing.T, text string) {
	t.Helper()
	s.n++
	tag := fmt.Sprintf("a%d ", s.n)
	s.SetDeadline(time.Now().Add(suite.Limit))
	fmt.Fprintf(s, "%s%s\r\n", tag, text)
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if strings.HasPrefix(line, tag) {
			if !strings.HasPrefix(line, tag+"OK") {
				t.Fatalf("%s: got %s", text, line)
			}
			return
		}
	}
}

// renew makes a certificate and installs it as a hook would.
func renew(t *testing.T, i *instance.Instance) {
	t.Helper()
	both := filepath.Join(t.TempDir(), "both.pem")
	if err := instance.WriteCertificate(both, instance.Hostname); err != nil {
		t.Fatal(err)
	}
	if out, err := i.Posthorn("", "cert", "install", both, both); err != nil {
		t.Fatalf("cert install: %v\n%s", err, out)
	}
}

// TestCertificateIsSwapped: a new certificate is served without a reload and
// without the end of a session; a broken file changes nothing.
func TestCertificateIsSwapped(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	renew(t, i)
	if err := i.StopServer(); err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(i.Dir, "tls", instance.Hostname+".pem")
	file := filepath.Join(i.Dir, "posthorn.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), filepath.Join(i.Dir, "tls.pem"), pem, 1))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	services := []string{"submissions", "imaps", "pop3s"}
	first := serial(t, i.Addr["imaps"])
	c, err := tls.Dial("tcp", i.Addr["imaps"], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Conn: c, in: bufio.NewReader(c)}
	defer s.Close()
	s.command(t, "LOGIN "+suite.Ann+" "+instance.Password)
	renew(t, i)
	second := ""
	for _, service := range services {
		suite.Eventually(t, "the new certificate of "+service, func() bool {
			second = serial(t, i.Addr[service])
			return second != first
		})
		s.command(t, "NOOP")
	}
	if err := os.WriteFile(pem, []byte("cut in the middle"), 0o640); err != nil {
		t.Fatal(err)
	}
	for service, daemon := range map[string]string{"submissions": "smtpd", "imaps": "imapd", "pop3s": "pop3d"} {
		suite.Eventually(t, daemon+" to refuse the broken file", func() bool {
			if got := serial(t, i.Addr[service]); got != second {
				t.Fatalf("%s: got another certificate than the last good one", service)
			}
			_, err := i.WaitLog(time.Millisecond, func(line string) bool { return strings.HasPrefix(line, daemon+": keys-refused ") })
			return err == nil
		})
	}
	s.command(t, "NOOP")
	s.command(t, "LOGOUT")
}

// testCertificate: a system that has run without TLS, and is stopped, gets a
// certificate and the sockets that begin with it, as packaging.md says.
func testCertificate(t *testing.T, s *system) {
	if err := instance.WriteCertificate(s.path("/tmp/both.pem"), instance.Hostname); err != nil {
		t.Fatal(err)
	}
	file := s.path("/etc/posthorn/posthorn.conf")
	const line = "tls /etc/posthorn/tls/" + instance.Hostname + ".pem\n"
	if err := os.WriteFile(file, []byte(readFile(file)+line), 0o644); err != nil {
		t.Fatal(err)
	}
	s.must(t, "/usr/sbin/posthorn", "cert", "install", "-name", instance.Hostname, "/tmp/both.pem", "/tmp/both.pem")
	s.must(t, "/usr/sbin/posthorn", "check")
	s.must(t, "systemctl", "start", "posthorn.target") // as it was, it offers STARTTLS
	for _, port := range []string{"25", "143", "110"} {
		c, err := s.dial(port)
		if err != nil {
			t.Fatalf("port %s: %v", port, err)
		}
		c.Close()
	}
	for _, program := range programs {
		s.checkProcess(t, program)
	}
	s.must(t, "systemctl", "stop", "posthorn.target")
	for _, service := range []string{"submissions", "imaps", "pop3s"} { // as systemctl enable
		unit := "posthorn-" + service + ".socket"
		if err := os.Symlink("../"+unit, s.path("/run/units/posthorn.target.wants/"+unit)); err != nil {
			t.Fatal(err)
		}
	}
	s.must(t, "systemctl", "daemon-reload")
	s.must(t, "systemctl", "start", "posthorn.target")
	for _, port := range []string{"465", "993", "995"} {
		c, err := s.dial(port)
		if err != nil {
			t.Fatalf("port %s: %v", port, err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(suite.Limit))
		if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
			t.Errorf("port %s: %v", port, err)
		}
	}
	for _, program := range programs {
		s.checkProcess(t, program)
	}
}
