package faults

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestSecond starts a second server, or one daemon of it, beside the first with
// what is the first one's. It is refused with a reason, and the first goes on.
func TestSecond(t *testing.T) {
	t.Parallel()
	s := newSite(t, instance.Options{})
	s.sent = map[string]string{}
	text, err := os.ReadFile(filepath.Join(s.Dir, "posthorn.conf"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(s.Dir, "other")
	dir := strings.NewReplacer("run-dir "+s.Dir+"/sockets", "run-dir "+other+"/sockets", "127.0.0.1:0", s.Addr["smtp"]).Replace
	ports := regexp.MustCompile(`(?m)^listen smtp .*$`)
	for _, c := range []struct{ name, conf, program, want string }{
		{"all of it", string(text), "posthorn", `run-dir .*: another posthorn run serves here`},
		{"same sockets", string(text), "queued", `queue\.sock: another server listens there`},
		{"same sockets", string(text), "authd", `auth\.sock: another server listens there`},
		{"same spool", dir(string(text)), "queued", `open spool .*: another queued works on this spool`},
		{"same port", ports.ReplaceAllString(dir(string(text)), "listen smtp "+s.Addr["smtp"]), "smtpd", `listen tcp ` + s.Addr["smtp"] + `: bind: address already in use`},
	} {
		t.Run(c.program+", "+c.name, func(t *testing.T) {
			s := &site{T: t, Instance: s.Instance, sent: s.sent}
			pids := s.pids()
			for _, sub := range []string{"", "sockets", "sockets/control"} {
				os.Mkdir(filepath.Join(other, sub), 0o777)
				os.Chmod(filepath.Join(other, sub), 0o777)
			}
			file := filepath.Join(other, "posthorn.conf")
			if err := os.WriteFile(file, []byte(c.conf), 0o644); err != nil {
				t.Fatal(err)
			}
			args := []string{"-c", file}
			if c.program == "posthorn" {
				args = append(args, "run")
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, filepath.Join(s.Bin, c.program), args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 111 || !regexp.MustCompile(c.want).Match(out) {
				t.Errorf("got %v\n%s\nwant exit status 111 and %q", err, out, c.want)
			}
			s.mustPost(suite.Bob, "beside "+c.program+", "+c.name)
			s.arrived()
			for name, pid := range s.pids() {
				if pid != pids[name] {
					t.Errorf("%s of the first server had to be started again", name)
				}
			}
		})
	}
}
