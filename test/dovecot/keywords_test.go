package dovecot

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestMoreKeywordsThanLetters: file names have letters for 26 keywords. What
// Dovecot has above that stands in its index alone; with us it is not seen, is
// not lost, and the letters stay what they were.
func TestMoreKeywordsThanLetters(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	s := ours(t, i)
	s.file("INBOX", "", message(1))
	s.file("INBOX", "", message(2))
	s.logout()
	i.StopServer()

	p := newPeer(t, bobs(i))
	d := p.imap(t)
	var words []string
	for n := range 30 {
		words = append(words, fmt.Sprintf("word%02d", n))
	}
	d.do("SELECT INBOX")
	for _, word := range words {
		d.do("UID STORE 1 +FLAGS (%s)", word)
	}
	d.do("UID STORE 2 +FLAGS (%s)", words[29])
	d.do("CLOSE")
	all := d.folder("INBOX")
	d.logout()

	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	s = ours(t, i)
	got := s.folder("INBOX")
	for _, word := range words[:26] {
		if !strings.Contains(got[1], word) {
			t.Errorf("got %q, want it to have %s", got[1], word)
		}
	}
	s.do("SELECT INBOX")
	s.do("UID STORE 1 +FLAGS (word03)")
	s.do(`UID STORE 1 +FLAGS (\Seen)`)
	s.do("UID STORE 2 +FLAGS (OneMore)") // the 27th here: Dovecot does not see it
	if got := s.folder("INBOX"); !strings.Contains(got[2], "OneMore") {
		t.Errorf("a 27th keyword: got %q, want it to have OneMore", got[2])
	}
	s.logout()
	i.StopServer()

	all[1] = strings.Replace(all[1], "[", `[\Seen `, 1)
	if back := p.imap(t).folder("INBOX"); !slices.Equal(back, all) {
		t.Errorf("at Dovecot again: got\n%q, want\n%q", back, all)
	}

	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	if got := ours(t, i).folder("INBOX"); !strings.Contains(got[2], "OneMore") {
		t.Errorf("after Dovecot: got %q, want it to have OneMore", got[2])
	}
}
