package moving

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestDovecotHuge brings a message that is much larger than the memory that may be
// used for it.
func TestDovecotHuge(t *testing.T) {
	const size, most = 150 << 20, 90 << 10 // bytes; KiB, of this process too, which is counted
	d := startDovecot(t, "/", "")
	d.fill(t, []string{"INBOX"}, 5)
	f, err := os.OpenFile(d.mail+"/new/1.huge.test", os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("Subject: huge\n\n")
	for lines := strings.Repeat(strings.Repeat("x", 79)+"\n", 1000); err == nil; {
		if at, _ := f.Seek(0, io.SeekCurrent); at > size {
			break
		}
		_, err = f.WriteString(lines)
	}
	if err != nil {
		t.Fatal(err)
	}
	i := suite.Server(t, instance.Options{Conf: "message-size 1G\n"})
	cmd := exec.Command(filepath.Join(i.Bin, "posthorn"), d.words(i)...)
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 folders: brought 3 messages (15") {
		t.Errorf("got %v\n%s", err, out)
	}
	if used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; used > most {
		t.Errorf("it used %d KiB, want at most %d", used, most)
	}
}
