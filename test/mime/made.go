package mime

import (
	"fmt"
	"strings"
)

// made returns the messages that are too long to be written down.
func made() []Message {
	long := strings.Repeat("x", 1<<20)
	return []Message{
		{"made: multiparts nested 99 deep", nestedParts(99)},
		{"made: messages nested 99 deep", strings.Repeat("Content-Type: message/rfc822\n\n", 99) + "Subject: innermost\n\nbody\n"},
		{"made: a subject of 100 kB in one line", "Subject: " + long[:100<<10] + "\nFrom: a@example.org\n\nbody\n"},
		{"made: a field of 1 MB that nobody asks for", "X-Long: " + long + "\nSubject: behind it\n\nbody\n"},
		{"made: a field of 300 kB, folded", "X-Long: " + strings.Repeat("y\n ", 100<<10) + "z\nSubject: behind it\n\nbody\n"},
		{"made: 10,000 fields", "Subject: before them\n" + strings.Repeat("X-Many: x\n", 10000) + "To: behind@example.org\n\nbody\n"},
		{"made: 1,000 addresses", "To: " + strings.Repeat("Ann <ann@example.org>,\n ", 1000) + "bob@example.org\n\nbody\n"},
		{"made: 1,000 parts", "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\npart\n", 1000) + "--b--\n"},
		{"made: a line of 100 kB in the body", "Subject: line\n\n" + long[:100<<10] + "\n"},
		{"made: a line of 100 kB before a boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + long[:100<<10] + "\n--b--\n"},
		{"made: a needle behind 64 kB of quoted-printable in one line", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=3D ", 16<<10) + "\f needle\n"},
		{"made: a needle across 64 kB of base64", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat("eHh4\n", 16<<10) + "bmVl\nZGxl\n"},
	}
}

// nestedParts returns a message of so many multiparts, one in the other.
func nestedParts(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%d.\n\n--%d.\n", i, i)
	}
	b.WriteString("\ninnermost\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--%d.--\n", i)
	}
	return b.String()
}
