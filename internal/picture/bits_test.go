package picture

import (
	"strings"
	"testing"
)

func TestInfo(t *testing.T) {
	for _, tt := range []struct {
		old  string
		add  Bits
		want string
	}{
		{"", BitSeen, ":2,S"},
		{":2,", 0, ":2,"},
		{":2,SF", 0, ":2,FS"},
		{":2,XS", BitFlagged, ":2,FSX"},
		{":2,S,tail=x", BitDeleted, ":2,ST,tail=x"},
		{":1,old", BitSeen, ":2,S"},
		{":2,baS", 1 << 31, ":2,Sabz"},
	} {
		if got := WriteInfo(tt.old, readInfo(tt.old)|tt.add); got != tt.want {
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
		if b, plain := PlainInfo([]byte(info), 0); plain && (b != was || WriteInfo(info, was) != info) {
			t.Errorf("%q is plain but would be written %q", info, WriteInfo(info, was))
		}
		if got := readInfo(WriteInfo(info, Bits(b))); got != Bits(b) {
			t.Errorf("%q: got flags %x, want %x", info, got, b)
		}
	})
}
