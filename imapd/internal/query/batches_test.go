package query

import (
	"fmt"
	"testing"

	"posthorn/imapd/internal/wire"
)

func TestParseBatches(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2000", "{2000 0 0}"}, // RFC 10022 section 3.1.1
		{"2000 10:20", "{2000 10 20}"},
		{"2000 1:1 ", "{2000 1 1}"},
		{"4294967295 4294967295:4294967295", "{4294967295 4294967295 4294967295}"},
		{"2000 4:1", "[CLIENTBUG] invalid batch range"},
		{"2000 0:1", "[CLIENTBUG] invalid batch range"},
		{"0", "a batch has messages"},
		{"", "expected a number"},
		{"4294967296", "expected a number"},
		{"2000 1", "expected \":\""},
		{"2000 1:*", "expected a number"},
		{"2000 1:2,3:4", "unexpected argument"},
		{"2000 1:2 x", "unexpected argument"},
		{"2000x", "unexpected argument"},
	} {
		b, err := ParseBatches(wire.NewScanner([]byte(tt.in)))
		got := fmt.Sprint(b)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func FuzzBatches(f *testing.F) {
	for _, s := range []string{"2000", "2000 10:20", "500 4:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if b, err := ParseBatches(wire.NewScanner([]byte(in))); err == nil && (b.Size == 0 || b.From > b.To || b.From == 0 && b.To != 0) {
			t.Fatalf("%+v", b)
		}
	})
}
