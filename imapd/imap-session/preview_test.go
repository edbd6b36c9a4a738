package main

import (
	"strings"
	"testing"
)

// TestPreview is made after the examples of RFC 8970 section 5.
func TestPreview(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", "", "Subject: a\r\n\r\nPreview\r\n text!\r\n")
	d.file("INBOX", "", "Content-Type: image/png\r\n\r\nx")
	d.file("INBOX", "", "\r\nlarge"+strings.Repeat("\r\n", lazySize/2))
	d.file("INBOX", "", "\r\n“Grüße”")
	d.do("SELECT INBOX")
	d.want("FETCH 1 (RFC822.SIZE PREVIEW)", `* 1 FETCH (RFC822.SIZE 31 PREVIEW "Preview text!")`, "OK FETCH completed")
	d.want("FETCH 1:4 (UID PREVIEW (LAZY))", `* 1 FETCH (UID 1 PREVIEW "Preview text!")`, `* 2 FETCH (UID 2 PREVIEW "")`, `* 3 FETCH (UID 3 PREVIEW NIL)`,
		`* 4 FETCH (UID 4 PREVIEW {13}“Grüße”)`, "OK FETCH completed")
	d.want("UID FETCH 3 PREVIEW", `* 3 FETCH (UID 3 PREVIEW "large")`, "OK UID FETCH completed")
	d.want("FETCH 3 preview (lazy LAZY)", `* 3 FETCH (PREVIEW NIL)`, "OK FETCH completed")
	d.want("UID FETCH 1:4 PREVIEW (PARTIAL 1:1)", `* 1 FETCH (UID 1 PREVIEW "Preview text!")`, "OK UID FETCH completed")
	d.want("FETCH 1 (PREVIEW (LAZY) ENVELOPE)", `* 1 FETCH (ENVELOPE (NIL "a" NIL NIL NIL NIL NIL NIL NIL NIL) PREVIEW "Preview text!")`, "OK FETCH completed")
	d.want("SEARCH UNSEEN", "* SEARCH 1 2 3 4", "OK SEARCH completed")
	for _, bad := range []string{"PREVIEW (FUZZY)", "(PREVIEW ())", "(PREVIEW (LAZY)", "PREVIEW(LAZY)", "PREVIEW (LAZY FUZZY)"} {
		if got := d.do("FETCH 1 " + bad); !strings.HasPrefix(got[0], "BAD ") {
			t.Errorf("%s: got %q", bad, got)
		}
	}
}
