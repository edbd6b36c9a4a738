package door

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/addr"
	"posthorn/internal/id"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// TestAnotherMount: what queued cannot link because the maker's mount is another
// is made through queued's folder from then on; a message begun before is kept.
func TestAnotherMount(t *testing.T) {
	x := open(t, true)
	elsewhere := verdict.Fail(verdict.Never, "5.3.5", "another mount", unix.EXDEV)
	x.once.Store(elsewhere)
	if err := x.client.Probe(t.Context(), x.Incoming()); err != nil {
		t.Fatalf("probe: got %v, want a second try through queued's folder", err)
	}
	in, err := x.client.Incoming(x.Incoming())
	if err != nil || !strings.HasPrefix(in.Dir, "/proc/self/fd/") {
		t.Fatalf("got %s, %v, want a folder that queued opened", in.Dir, err)
	}
	begin := func() *spool.Draft {
		in, err := x.client.Incoming(x.Incoming())
		if err != nil {
			t.Fatal(err)
		}
		d, err := in.New(spool.Envelope{ID: id.New(), Time: time.Now(), Origin: "smtp", Body: "7bit",
			Rcpts: []spool.Rcpt{{Address: addr.Address{Local: "a", Domain: "b.example"}}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		io.WriteString(d, "x\r\n")
		return d
	}
	if err := x.client.Submit(t.Context(), begin()); err != nil {
		t.Fatalf("submit through queued's folder: %v", err)
	}
	<-x.ids
	// queued is started again: its folder is another.
	kept := begin()
	x.once.Store(elsewhere)
	if err := x.client.Submit(t.Context(), kept); err != nil {
		t.Fatalf("submit of one begun before: %v", err)
	}
	if left := names(t, x.Incoming().Dir); len(left) != 1 || left[0] != kept.Envelope().ID {
		t.Errorf("kept %v, want %s", left, kept.Envelope().ID)
	}
	again, err := x.client.Incoming(x.Incoming())
	if err != nil || again.Dir == in.Dir {
		t.Errorf("got %s, %v, want another than %s", again.Dir, err, in.Dir)
	}
	if err := x.client.Submit(t.Context(), begin()); err != nil {
		t.Errorf("submit through the new folder: %v", err)
	}
	x.refuse.Store(elsewhere)
	if err := x.client.Probe(t.Context(), x.Incoming()); err == nil {
		t.Error("a door that no folder opens: got no error, want the refusal")
	}
}

// TestThroughAnotherFolder: what is not the incoming folder is not written to.
func TestThroughAnotherFolder(t *testing.T) {
	x := open(t, false)
	other, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if in, err := x.Incoming().Through(other); err == nil {
		t.Errorf("got %s, want an error", in.Dir)
	}
	other.Close()
	if _, err := x.Incoming().Through(other); err == nil {
		t.Error("a closed descriptor: got no error")
	}
}
