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

func TestInfo(t *testing.T) {
	for _, tt := range []struct {
		old  string
		add  bits
		want string
	}{
		{"", bitSeen, ":2,S"},
		{":2,", 0, ":2,"},
		{":2,SF", 0, ":2,FS"},
		{":2,XS", bitFlagged, ":2,FSX"},
		{":2,S,tail=x", bitDeleted, ":2,ST,tail=x"},
		{":1,old", bitSeen, ":2,S"},
		{":2,baS", 1 << 31, ":2,Sabz"},
	} {
		if got := writeInfo(tt.old, readInfo(tt.old)|tt.add); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.old, got, tt.want)
		}
	}
}

func FuzzInfo(f *testing.F) {
	for _, s := range []string{"", ":2,", ":2,FS", ":2,SF", ":2,Sab", ":2,X", ":2,S,x", ":1,", ":"} {
		f.Add(s, uint32(0))
	}
	f.Fuzz(func(t *testing.T, info string, b uint32) {
		if strings.ContainsAny(info, "/\x00") {
			return
		}
		was := readInfo(info)
		if b, plain := plainInfo([]byte(info), 0); plain && (b != was || writeInfo(info, was) != info) {
			t.Errorf("%q is plain but would be written %q", info, writeInfo(info, was))
		}
		if got := readInfo(writeInfo(info, bits(b))); got != bits(b) {
			t.Errorf("%q: got flags %x, want %x", info, got, b)
		}
	})
}
