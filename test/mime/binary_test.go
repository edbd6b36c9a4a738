package mime

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestDovecotDecodes asks our server and Dovecot for the parts of the same
// messages without their encodings, as far as they agree about the parts.
func TestDovecotDecodes(t *testing.T) {
	messages := load(t)
	theirs, mine := dovecot(t, messages), ours(t, messages)
	asked := 0
	for i, m := range messages {
		if !strings.Contains(strings.ToLower(m.Text), "content-transfer-encoding") || slices.Contains(undecoded, m.Name) {
			continue
		}
		_, parts := fetch(theirs, i+1, []string{"BODYSTRUCTURE"})
		for _, path := range slices.Sorted(maps.Keys(parts)) {
			whole := fmt.Sprintf("BODY.PEEK[%s]", path)
			if decoded(mine, i+1, whole) != decoded(theirs, i+1, whole) {
				continue
			}
			for _, item := range []string{"BINARY.PEEK[%s]", "BINARY.SIZE[%s]", "BINARY.PEEK[%s]<2.5>"} {
				asked++
				item = fmt.Sprintf(item, path)
				got, want := decoded(mine, i+1, item), decoded(theirs, i+1, item)
				differs := got != want && want != broken
				if differs && !slices.Contains(otherwise, m.Name) {
					t.Errorf("%s: %s:\nours    %s\ndovecot %s", m.Name, item, around(got, want), around(want, got))
				}
			}
		}
	}
	t.Logf("%d items", asked)
}

// decoded returns an item of a message, or the code of why it is refused.
func decoded(c *client, uid int, item string) string {
	out, _ := fetch(c, uid, []string{item})
	for _, code := range []string{"[UNKNOWN-CTE]", broken} {
		if strings.Contains(out["FETCH"], code) {
			return code
		}
	}
	return fmt.Sprint(out)
}

// broken is what Dovecot says of content that does not follow its encoding. RFC
// 3516 section 4.3 has a refusal for encodings that are not known only; we give
// what there is.
const broken = "[PARSE]"

// undecoded are the messages with parts at which Dovecot ends the session. RFC 2045
// section 6.8: characters that are none of base64 are ignored.
var undecoded = []string{"base64 with junk between", "base64 without its padding", "quoted-printable with a soft break at its end"}

// otherwise are messages of which we decode parts otherwise: with the encoding
// that BODYSTRUCTURE announces, 7bit for what names none (RFC 2045 section 6.1).
// A part that is a message has none (section 6.4).
var otherwise = []string{
	"encoding in quotes", "encoding twice", "encoding with two words", "field without value", "message part in quoted-printable",
}
