package main

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/handover"
	"posthorn/queued/queue-remote/internal/script"
)

// TestLMTPSocket: a store on this host, which calls itself what we do, takes the
// mail at a socket, without TLS; no report names the path.
func TestLMTPSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	store := script.Serve(t, path, tls.Certificate{}, `S: 220 us.example LMTP
		C: LHLO us.example
		S: 250-us.example
		S: 250-PIPELINING
		S: 250 STARTTLS
		C: MAIL FROM:<a@x.example>
		C: RCPT TO:<b@y.example>
		C: RCPT TO:<c@y.example>
		C: DATA
		S: 250 ok
		S: 250 ok
		S: 250 ok
		S: 354 go
		M:
		S: 250 2.0.0 saved
		S: 552 5.2.2 over quota
		C: QUIT
		S: 221 bye`)
	s, log := testService(t, names{})
	r := request(t, []handover.Host{{Name: path}}, "b@y.example", "c@y.example")
	r.LMTP, r.TLS, r.Destination = true, "none", "lmtp:unix:"+path
	got := told(s.send(t.Context(), r, section(text)))
	if want := "done 2.0.0 250 2.0.0 saved @localhost | never 5.2.2 552 5.2.2 over quota @localhost reached"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if m := store.Wait(t); len(m) != 1 {
		t.Errorf("got %d messages, want 1", len(m))
	}
	r.ID = request(t, nil).ID
	r.Hosts[0].Name = path + ".gone"
	if got := told(s.send(t.Context(), r, section(text))); !strings.HasPrefix(got, "later 4.4.1 cannot connect to localhost: ") || strings.Contains(got, path) {
		t.Errorf("no socket: got %s, want later without the path", got)
	}
	if !strings.Contains(log.String(), path+".gone") {
		t.Errorf("the log does not name the socket:\n%s", log)
	}
	r.ID, r.LMTP = request(t, nil).ID, false // a path is for LMTP only
	if got := told(s.send(t.Context(), r, section(text))); !strings.HasPrefix(got, "later 4.3.5") {
		t.Errorf("without LMTP: got %s, want later 4.3.5", got)
	}
}
