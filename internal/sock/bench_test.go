package sock

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/verdict"
)

// BenchmarkRequest is one exchange of both ends, as authd's are.
func BenchmarkRequest(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s.sock")
	l, err := Listen(path, Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		b.Fatal(err)
	}
	answer := Reply(verdict.Of(nil))
	for _, name := range []string{"local", "target", "value", "rcpt", "origin"} {
		answer.Add(name, "user@mail.example.org")
	}
	s := &Server{Name: "test", Proto: proto, Log: evlog.New(os.Stderr),
		Handle: func(context.Context, Peer, attr.List, *os.File) (attr.List, *os.File) { return answer, nil }}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(ctx, l) }()
	c := &Client{Path: path, Proto: proto}
	req := attr.List{{Name: "proto", Value: proto}, {Name: "request", Value: "resolve"}, {Name: "address", Value: "user@mail.example.org"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), req, nil); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	cancel()
	<-done
}
