package find

import (
	"strings"
	"testing"
)

func TestLikeness(t *testing.T) {
	for _, tt := range []struct {
		text, seen string
		want       int
	}{
		{"IMAP break", "the imap breaks", 100},
		{"IMAP break", "IMAP is a break", 95},
		{"IMAP break", "a break of IMAP", 95},
		{"IMAP breaks", "breaking IMAP", 0},
		{"Helo", "well, hello", 75},
		{"Helo", "help", 75},
		{"Helo", "hold", 0},
		{"helo", "othello", 0},
		{"mail", "webmail", 100}, // as SEARCH has it
		{"mail box", "the box of webmail", 75},
		{"grüße", "GRUSSE", 0},
		{"grün", "Grun", 95},
		{"message", "messages", 100},
		{"mesage", "massage", 0},
		{"adress", "addresses", 0},
		{"address", "adress", 75},
		{"conference", "konferences", 60},
		{"to", "two", 0},
		{"日本", "今日本語", 100},
		{"hello world", "hello", 0},
		{"!", "wow!", 100},
		{"!", "wow", 0},
		{"", "anything", 100},
	} {
		l := NewLikeness(tt.text)
		l.inFolded(foldOf(tt.seen))
		if got := l.Score(); got != tt.want {
			t.Errorf("%q in %q: got %d, want %d", tt.text, tt.seen, got, tt.want)
		}
	}
}

func foldOf(s string) string {
	l := NewLikeness(s)
	return l.phrase
}

func TestLike(t *testing.T) {
	m := New(strings.NewReader(sample), int64(len(sample)))
	for _, tt := range []struct {
		where      Where
		name, text string
		want       int
	}{
		{InField, "subject", "line long", 95}, {InField, "subject", "short", 0}, {InAddresses, "FROM", "jurgen", 95}, {InAddresses, "to", "jurgen", 0},
		{InBody, "", "softbrake", 60}, {InBody, "", "inner", 100}, {Anywhere, "", "softbrake jurgin", 67}, {InBody, "", "jurgen", 0},
	} {
		l := NewLikeness(tt.text)
		if err := m.Like(l, tt.where, tt.name); err != nil || l.Score() != tt.want {
			t.Errorf("%s: got %d, %v, want %d", tt.text, l.Score(), err, tt.want)
		}
	}
}

// TestLikenessBounds looks for words without end in words without end.
func TestLikenessBounds(t *testing.T) {
	l := NewLikeness(strings.Repeat("abcdefgh ", 1000) + strings.Repeat("x", 100000))
	if len(l.words) != maxWords {
		t.Errorf("got %d words", len(l.words))
	}
	for _, s := range []string{strings.Repeat("abcdefgi", 1<<17), strings.Repeat("bcdefghi ", 1<<17)} {
		l.inFolded(s)
	}
}
