package mailbox

import (
	"strings"
	"testing"
)

func FuzzFolderName(f *testing.F) {
	for _, s := range []string{".Sent", ".Work.2024", ".Entw&APw-rfe", ".a&-b", "..", ".&", ".INBOX", ".~x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, disk string) {
		name, ok := folderName(disk)
		if !ok {
			return
		}
		if back, err := diskName(name); back != disk || err != nil {
			t.Errorf("%q: got %q, %v for %q", disk, back, err, name)
		}
		if strings.ContainsAny(disk, "/\x00") || disk == "." || disk == ".." {
			t.Errorf("%q taken for a folder", disk)
		}
	})
}
