package mailer

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// peer returns a file of a package that is unpacked, not installed.
func peer(t *testing.T, pkg, file string) string {
	t.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("POSTHORN_PEERS"), "/var/lib/posthorn-peers"), pkg, file)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatalf("%v, and POSTHORN_TEST_ALL is set: scripts/peers unpacks it", err)
		}
		t.Skip("needs POSTHORN_PEERS: scripts/peers unpacks it")
	}
	return path
}

// TestMailx: bsd-mailx, which logs of daily jobs are sent by.
func TestMailx(t *testing.T) {
	mailx := peer(t, "bsd-mailx", "usr/bin/bsd-mailx")
	d := newDesk(t, instance.Options{})
	if err := os.WriteFile(filepath.Join(d.home, "rc"), []byte("set sendmail="+d.path("sendmail")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.sh("printf 'hi\\n.\\nmore\\n' | MAILRC=$HOME/rc " + mailx + " -s mailx -b bob -a 'X-Job: daily' root")
	m := d.message(suite.Ann, "mailx")
	d.complete(m, strconv.Itoa(os.Getuid()))
	if got := text(t, m); got != "hi\n.\nmore\n" || m.Header.Get("X-Job") != "daily" {
		t.Errorf("got %q, %v", got, m.Header)
	}
	d.message(suite.Bob, "mailx")
}

// cronScript runs cron where only it sees its tables, a sendmail in the usual
// place and nothing of the host's jobs.
const cronScript = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/spool
mkdir -m 755 /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
cp "$1"/crontab.* /var/spool/cron/crontabs/
cd /var/spool/cron/crontabs
for f in crontab.*; do mv "$f" "${f#crontab.}"; chown "${f#crontab.}" "${f#crontab.}"; chmod 600 "${f#crontab.}"; done
test ! -d /etc/cron.d || mount -t tmpfs tmpfs /etc/cron.d
mount -t tmpfs tmpfs /usr/sbin
cp "$1/sendmail" /usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
exec "$2" -f`

// TestCron: what the jobs of real cron print arrives, as from those who own them.
func TestCron(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	suite.Need(t, "unshare")
	cron := peer(t, "cron", "usr/sbin/cron")
	d := newDesk(t, instance.Options{})
	for user, mailto := range map[string]string{"root": "", "nobody": "MAILTO=root\n"} {
		table := mailto + "@reboot echo \"out of $LOGNAME\"; echo .; echo more\n"
		if err := os.WriteFile(d.path("crontab."+user), []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", cronScript, "sh", d.Dir, cron)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("cron said: %s", out.String())
		}
	}()
	for user, uid := range map[string]string{"root": "0", "nobody": "65534"} {
		host, _ := os.Hostname()
		short, _, _ := strings.Cut(host, ".")
		var m = d.message(suite.Ann, "Cron <"+user+"@"+short+"> echo \"out of $LOGNAME\"; echo .; echo more")
		d.complete(m, uid)
		if got := text(t, m); got != "out of "+user+"\n.\nmore\n" {
			t.Errorf("%s: got %q", user, got)
		}
		if got := m.Header.Get("From"); got != user+origin+" (Cron Daemon)" && !strings.Contains(got, "root"+origin+" (Cron Daemon)") {
			t.Errorf("%s: got From %q", user, got)
		}
	}
}
