package units

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"posthorn/internal/conf"
	"posthorn/test/suite"
)

// setting returns the values of a unit's setting, in this file alone.
func setting(t *testing.T, file, name string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			all = append(all, strings.Fields(v)...)
		}
	}
	return all
}

// TestUnitsHaveTheRightUsers holds the units to the table of rights.
func TestUnitsHaveTheRightUsers(t *testing.T) {
	units := filepath.Join(install(t), "usr/lib/systemd/system")
	files, _ := filepath.Glob(filepath.Join(units, "*.service"))
	if len(files) != len(programs) {
		t.Errorf("got %d services, want %d", len(files), len(programs))
	}
	also := setting(t, filepath.Join(units, "posthorn.target"), "Also")
	for _, program := range programs {
		file := filepath.Join(units, "posthorn-"+program+".service")
		p := processOf(t, program)
		for name, want := range map[string][]string{
			"User": {p.User}, "SupplementaryGroups": p.Groups, "ExecStart": {"/usr/libexec/posthorn/" + program},
		} {
			if got := setting(t, file, name); !slices.Equal(got, want) {
				t.Errorf("%s: got %s=%v, want %v", program, name, got, want)
			}
		}
		if !slices.Contains(also, filepath.Base(file)) {
			t.Errorf("%s: not enabled with posthorn.target", program)
		}
	}
	sockets, _ := filepath.Glob(filepath.Join(units, "*.socket"))
	for _, file := range sockets {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "posthorn-"), ".socket")
		if got := setting(t, file, "FileDescriptorName"); len(got) != 1 || got[0] != name {
			t.Errorf("%s: got the name %v, want the service's", filepath.Base(file), got)
		}
	}
	if len(sockets) != 7 {
		t.Errorf("got %d sockets, want one for each service", len(sockets))
	}
}

// exposure is what systemd-analyze may find at most; the first three and
// queue-remote meet strangers.
var exposure = map[string]float64{"smtpd": 1, "imapd": 1, "pop3d": 1, "queue-remote": 1.9,
	"queued": 1.9, "deliver": 1, "imap-session": 1, "pop3-session": 1, "authd": 1}

func TestUnitsAreGood(t *testing.T) {
	suite.Need(t, "systemd-analyze")
	dest := install(t)
	// A copy that names programs which are there.
	units := t.TempDir()
	suite.Must(t, "", "cp", "-r", filepath.Join(dest, "usr/lib/systemd/system")+"/.", units)
	files, _ := filepath.Glob(filepath.Join(units, "posthorn*.*"))
	for _, file := range files {
		if !strings.HasSuffix(file, ".d") {
			suite.Must(t, "", "sed", "-i", "s|=/usr/libexec|="+dest+"/usr/libexec|", file)
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".d") })
	out, err := suite.Command(t, "", "systemd-analyze", append([]string{"verify", "--man=no"}, files...)...)
	if err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: got %v\n%s\nwant not a word", err, out)
	}
	// The same with the drop-in for system users, which says what root starts.
	for _, program := range []string{"deliver", "imap-session", "pop3-session"} {
		folder := filepath.Join(units, "with", "posthorn-"+program+".service.d")
		suite.Must(t, "", "mkdir", "-p", folder)
		suite.Must(t, "", "cp", filepath.Join(dest, "usr/share/posthorn/examples/system-users.conf"), folder)
		service := filepath.Join(units, "with", "posthorn-"+program+".service")
		suite.Must(t, "", "cp", filepath.Join(units, "posthorn-"+program+".service"), service)
		suite.Must(t, "", "cp", "-r", filepath.Join(units, "posthorn-.service.d"), filepath.Join(units, "with"))
		if out, err := suite.Command(t, "", "systemd-analyze", "verify", "--man=no", service); err != nil || strings.TrimSpace(out) != "" {
			t.Errorf("systemd-analyze verify %s with system-users.conf: got %v\n%s\nwant not a word", program, err, out)
		}
	}
	for _, program := range programs {
		out, err := suite.Command(t, "", "systemd-analyze", "security", "--offline=yes", "--no-pager",
			fmt.Sprintf("--threshold=%d", int(exposure[program]*10)), filepath.Join(units, "posthorn-"+program+".service"))
		if err != nil {
			t.Errorf("systemd-analyze security %s: got %v, want at most %.1f\n%s", program, err, exposure[program], out)
		}
	}
}

// TestTimerIsGood holds the example that expires mail to what the others are held to.
func TestTimerIsGood(t *testing.T) {
	suite.Need(t, "systemd-analyze")
	dest, units := install(t), t.TempDir()
	suite.Must(t, "", "sh", "-c", "cp "+dest+"/usr/share/posthorn/examples/expire-posthorn.* "+units)
	service := filepath.Join(units, "expire-posthorn.service")
	if got, want := setting(t, service, "ExecStart"), []string{"/usr/sbin/posthorn", "expire"}; !slices.Equal(got, want) {
		t.Errorf("got ExecStart=%v, want %v", got, want)
	}
	suite.Must(t, "", "sed", "-i", "s|=/usr/sbin|="+dest+"/usr/sbin|", service)
	out, err := suite.Command(t, "", "systemd-analyze", "verify", "--man=no", service, filepath.Join(units, "expire-posthorn.timer"))
	if err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: got %v\n%s\nwant not a word", err, out)
	}
	if out, err := suite.Command(t, "", "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15", service); err != nil {
		t.Errorf("systemd-analyze security: got %v, want at most 1.5\n%s", err, out)
	}
}

// account is a user that systemd-sysusers made.
type account struct {
	uid, gid int
	groups   map[string]bool
}

// sysusers makes the users below root, which only root can, and returns them and
// the gids of all groups.
func sysusers(t *testing.T, root string) (users map[string]account, gids map[string]int) {
	t.Helper()
	suite.Must(t, "", "systemd-sysusers", "--root="+root, root+"/usr/lib/sysusers.d/posthorn.conf")
	users, gids = map[string]account{}, map[string]int{}
	for _, f := range colons(t, root+"/etc/group") {
		gids[f[0]], _ = strconv.Atoi(f[2])
	}
	for _, f := range colons(t, root+"/etc/passwd") {
		a := account{groups: map[string]bool{}}
		a.uid, _ = strconv.Atoi(f[2])
		a.gid, _ = strconv.Atoi(f[3])
		users[f[0]] = a
	}
	for _, f := range colons(t, root+"/etc/group") {
		for name := range strings.SplitSeq(f[3], ",") {
			if name != "" {
				users[name].groups[f[0]] = true
			}
		}
	}
	return users, gids
}

func colons(t *testing.T, file string) [][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}

// TestSysusersAndTmpfiles: what systemd makes of the two files is what the table
// of rights, install.txt and posthorn check say.
func TestSysusersAndTmpfiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: to make users and give folders away")
	}
	suite.Need(t, "systemd-sysusers", "systemd-tmpfiles")
	root := t.TempDir()
	for d := root; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		os.Chmod(d, 0o755) // as that of a system: systemd-tmpfiles looks
	}
	suite.Must(t, "", "cp", "-r", install(t)+"/.", root)
	users, gids := sysusers(t, root)
	for _, p := range conf.Processes() {
		got, ok := users[p.User]
		if !ok || got.uid == 0 || got.uid >= 1000 || got.gid != gids[p.User] || len(got.groups) != len(p.Groups) {
			t.Errorf("%s: got %+v, %v, want a user of the system in %v", p.User, got, ok, p.Groups)
		}
		for _, g := range p.Groups {
			if !got.groups[g] {
				t.Errorf("%s: got the groups %v, want %v", p.User, got.groups, p.Groups)
			}
		}
		delete(users, p.User)
	}
	for name := range users {
		if name != "root" && name != "nobody" {
			t.Errorf("got the user %s, whom no process has", name)
		}
	}
	suite.Must(t, "", "systemd-tmpfiles", "--create", "--root="+root, root+"/usr/lib/tmpfiles.d/posthorn.conf")
	made, _ := sysusers(t, root) // once more changes nothing
	for _, e := range table(t) {
		if e.kind != "run" && e.owner+e.group == "rootroot" {
			continue
		}
		e.compare(t, root)
		fi, err := os.Stat(root + e.path)
		if err != nil {
			continue
		}
		st := fi.Sys().(*syscall.Stat_t)
		if int(st.Uid) != made[e.owner].uid || int(st.Gid) != gids[e.group] {
			t.Errorf("%s: got owner %d:%d, want %s:%s, who is %d:%d", e.path, st.Uid, st.Gid, e.owner, e.group, made[e.owner].uid, gids[e.group])
		}
	}
	checkAsInstalled(t, root, made, gids)
}

// checkAsInstalled has posthorn check look at the folders below root.
func checkAsInstalled(t *testing.T, root string, users map[string]account, gids map[string]int) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "hostname mx.example.test\ndomain example.test\npostmaster ann\n")
	fmt.Fprintf(&b, "spool %[1]s/var/spool/posthorn\nrun-dir %[1]s/run/posthorn\nmail-root %[1]s/var/mail/posthorn\nlibexec %[1]s/usr/libexec/posthorn\n"+
		"users %[1]s/etc/posthorn/users\naliases %[1]s/etc/posthorn/aliases\ntransport %[1]s/etc/posthorn/transport\n", root)
	for _, p := range conf.Processes() {
		fmt.Fprintf(&b, "process-user %s %d:%d\n", p.Name, users[p.User].uid, users[p.User].gid)
	}
	fmt.Fprintf(&b, "process-group sockets %d\nprocess-group incoming %d\nprocess-group tls %d\n",
		gids["posthorn"], gids["posthorn-in"], gids["posthorn-tls"])
	file := filepath.Join(root, "etc/posthorn/posthorn.conf")
	text := strings.Replace(b.String(), "postmaster ann\n", "postmaster ann@example.test\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	posthorn := filepath.Join(root, "usr/sbin/posthorn")
	suite.Must(t, "secret\n", posthorn, "-c", file, "user", "add", "ann")
	if out := suite.Must(t, "", posthorn, "-c", file, "check"); !strings.Contains(out, "good") {
		t.Errorf("posthorn check: got %s", out)
	}
	os.Chmod(root+"/run/posthorn/control", 0o777)
	if out, err := suite.Command(t, "", posthorn, "-c", file, "check"); err == nil || !strings.Contains(out, "/run/posthorn/control: found mode") {
		t.Errorf("posthorn check of a folder that is open to all: got %v, %s", err, out)
	}
}
