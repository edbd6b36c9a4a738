package maildir

import (
	"errors"
	"strings"
	"testing"

	gomaildir "github.com/emersion/go-maildir"
)

const anID = "01k7e6x9qfabcdefghjkmnpqrs"

func TestReadName(t *testing.T) {
	for _, c := range []struct {
		in              string
		want            Name
		base            string
		changed, string string // with size 7, virtual 9; printed again
	}{
		{"1.a.b,S=4096,W=4170:2,FS", Name{"1.a.b", ",S=4096,W=4170", 4096, 4170, true, "FS"}, "1.a.b,S=4096,W=4170", "1.a.b,S=7,W=9:2,FS", ""},
		{"1.a.b,S=4096,W=4170", Name{"1.a.b", ",S=4096,W=4170", 4096, 4170, false, ""}, "1.a.b,S=4096,W=4170", "1.a.b,S=7,W=9", ""},
		{"1.M2P3.b:2,", Name{"1.M2P3.b", "", -1, -1, true, ""}, "1.M2P3.b", "1.M2P3.b,S=7,W=9:2,", ""},
		{"1.a.b,U=5,FMD5=7e33,W=9,S=8:2,TTSFa", Name{"1.a.b", ",U=5,FMD5=7e33,W=9,S=8", 8, 9, true, "FSTa"}, "1.a.b,U=5,FMD5=7e33,W=9,S=8", "1.a.b,S=7,W=9,U=5,FMD5=7e33:2,FSTa", "1.a.b,U=5,FMD5=7e33,W=9,S=8:2,FSTa"},
		{"1.a.b,S=-4,S=x,S=3:1,exp", Name{"1.a.b", ",S=-4,S=x,S=3", 3, -1, false, ""}, "1.a.b,S=-4,S=x,S=3", "1.a.b,S=7,W=9", "1.a.b,S=-4,S=x,S=3"},
		{"1.a.b:2,S:2,T", Name{"1.a.b", "", -1, -1, true, "S"}, "1.a.b", "1.a.b,S=7,W=9:2,S", "1.a.b:2,S"},
		{"1.a.b,", Name{"1.a.b", ",", -1, -1, false, ""}, "1.a.b,", "1.a.b,S=7,W=9,", ""},
		{"msg.\xff\xfe", Name{"msg.\xff\xfe", "", -1, -1, false, ""}, "msg.\xff\xfe", "msg.\xff\xfe,S=7,W=9", ""},
		{"1.a.b,S=99999999999999999999", Name{"1.a.b", ",S=99999999999999999999", -1, -1, false, ""}, "1.a.b,S=99999999999999999999", "1.a.b,S=7,W=9", ""},
	} {
		got, err := ReadName(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, %v, want %+v", c.in, got, err, c.want)
		}
		if got.Base() != c.base {
			t.Errorf("%q: base: got %q, want %q", c.in, got.Base(), c.base)
		}
		if got := got.WithSizes(7, 9).String(); got != c.changed {
			t.Errorf("%q: with sizes: got %q, want %q", c.in, got, c.changed)
		}
		if c.string == "" {
			c.string = c.in
		}
		if got.String() != c.string {
			t.Errorf("%q: printed: got %q, want %q", c.in, got, c.string)
		}
	}
}

func TestNotNames(t *testing.T) {
	for _, s := range []string{"", ".", ".hidden", "a/b", "a\x00b", ":2,S", ",S=4", strings.Repeat("x", 256)} {
		if n, err := ReadName(s); !errors.Is(err, ErrName) {
			t.Errorf("%.20q: got %+v, %v, want it refused", s, n, err)
		}
	}
}

func TestParseNameIsStrict(t *testing.T) {
	good := Name{Unique: "1." + anID + ".mx", Size: 4, Virtual: 5, Info: true, Flags: "RS"}
	if got, err := ParseName(good.String()); err != nil || got != good {
		t.Errorf("own name: got %+v, %v, want %+v", got, err, good)
	}
	for _, s := range []string{
		"1.a.b,W=5,S=4", "1.a.b,S=04", "1.a.b,S=4,W=5,U=1", "1.a.b:2,SF", "1.a.b:2,SS", "1.a.b:2,S:2,T", "1.a.b:1,x", "1.a b", "1.a.ä",
	} {
		if n, err := ParseName(s); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %+v, %v, want it refused", s, n, err)
		}
	}
}

func TestFlagsAsGoMaildirReadsThem(t *testing.T) {
	dir := gomaildir.Dir(t.TempDir())
	if err := dir.Init(); err != nil {
		t.Fatal(err)
	}
	msg, w, err := dir.Create([]gomaildir.Flag{gomaildir.FlagSeen, gomaildir.FlagFlagged, gomaildir.FlagReplied})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	name := msg.Filename()[strings.LastIndexByte(msg.Filename(), '/')+1:]
	n, err := ReadName(name)
	if err != nil || n.Flags != "FRS" || n.Base() != msg.Key() {
		t.Errorf("%q: got flags %q, base %q, %v, want FRS and %q", name, n.Flags, n.Base(), err, msg.Key())
	}
}

func TestEscapeNode(t *testing.T) {
	for in, want := range map[string]string{
		"mx.example.org": "mx.example.org",
		"a/b:c":          `a\057b\072c`,
		"a,b c\\\n":      `a\054b\040c\134\012`,
		"ä":              `\303\244`,
		"":               "localhost",
	} {
		if got := EscapeNode(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	long := EscapeNode(strings.Repeat("a", 119) + "::")
	if long != strings.Repeat("a", 119) {
		t.Errorf("long node: got %q, want it cut before an escape", long)
	}
	full := Name{Unique: unique(1<<40, anID, EscapeNode(strings.Repeat(":", 300))), Size: 1 << 62, Virtual: 1 << 62, Info: true, Flags: "DFPRSTabcdefghijklmnopqrstuvwxyz"}
	if n := len(full.String()); n > maxName {
		t.Errorf("longest own name: got %d bytes, want at most %d", n, maxName)
	}
}

func TestCarries(t *testing.T) {
	for name, want := range map[string]bool{
		"1." + anID + ".mx,S=4:2,S": true,
		"1." + anID + ".mx":         true,
		"1." + anID:                 false,
		"1." + anID + "x.mx":        false,
		"1.x" + anID + ".mx":        false,
		anID + ".1.mx":              false,
		"":                          false,
		".":                         false,
		"1.M1P1.host." + anID + ".": false,
	} {
		if got := string(messageOf([]byte(name))) == anID; got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func FuzzReadName(f *testing.F) {
	for _, s := range []string{"1.a.b,S=4096,W=4170:2,FS", "1.a.b:2,S:2,T", ",,,", "a,S=:2,", "a,S=1,S=2,X:1,2,", "\xff:2,\xff", ":", "a:2,zA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ReadName(s)
		if err != nil {
			return
		}
		if !strings.HasPrefix(s, n.Base()) {
			t.Errorf("%q: base %q is not as found", s, n.Base())
		}
		again, err := ReadName(n.String())
		if err != nil || again != n {
			t.Errorf("%q: printed %q reads as %+v, %v, want %+v", s, n, again, err, n)
		}
		sized := n.WithSizes(12, 34)
		if got, err := ReadName(sized.String()); err == nil && (got.Size != 12 || got.Virtual != 34 || got.Unique != n.Unique || got.Flags != n.Flags) {
			t.Errorf("%q: with sizes %q reads as %+v", s, sized, got)
		}
		if own, err := ParseName(s); err == nil && own.String() != s {
			t.Errorf("%q: strict reading prints %q", s, own)
		}
	})
}
