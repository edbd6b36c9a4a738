package attr

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func ExampleAppend() {
	var l List
	l.Add("proto", "posthorn-queue/1")
	l.Add("request", "submit")
	l.AddInt("size", 42)
	b, _ := Append(nil, l)
	fmt.Printf("%s", b)
	// Output:
	// proto=posthorn-queue/1
	// request=submit
	// size=42
	//
}

func read(s string) (List, error) { return Read(bufio.NewReaderSize(strings.NewReader(s), MaxLine)) }

func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     List
		err      error // nil, or what errors.Is must find; errAny for any
	}{
		{"a list", "a=1\nb=x=y\na=2\n\n", List{{"a", "1"}, {"b", "x=y"}, {"a", "2"}}, nil},
		{"an empty list", "\n", nil, nil},
		{"an empty value", "a=\n\n", List{{"a", ""}}, nil},
		{"end between lists", "", nil, io.EOF},
		{"end within a list", "a=1\n", nil, io.ErrUnexpectedEOF},
		{"end within a line", "a=", nil, io.ErrUnexpectedEOF},
		{"no equals sign", "hello\n\n", nil, errAny},
		{"no name", "=1\n\n", nil, errAny},
		{"NUL", "a=\x00\n\n", nil, errAny},
		{"a line without end", strings.Repeat("a", MaxLine+1), nil, ErrTooLong},
		{"too many lines", strings.Repeat("a=1\n", MaxAttrs+1) + "\n", nil, ErrTooLong},
		{"too many bytes", strings.Repeat("a="+strings.Repeat("x", 8000)+"\n", 300) + "\n", nil, ErrTooLong},
	} {
		got, err := read(tc.in)
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
		if !matches(err, tc.err) {
			t.Errorf("%s: got error %v, want %v", tc.name, err, tc.err)
		}
	}
}

var errAny = errors.New("any error but end of file")

func matches(err, want error) bool {
	if want == errAny {
		return err != nil && err != io.EOF
	}
	return errors.Is(err, want)
}

func TestAppendRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		list List
	}{
		{"line feed in a value", List{{"a", "1\nverdict=done"}}},
		{"NUL in a value", List{{"a", "\x00"}}},
		{"no name", List{{"", "1"}}},
		{"equals sign in a name", List{{"a=b", "1"}}},
		{"too long a line", List{{"a", strings.Repeat("x", MaxLine)}}},
		{"too many lines", make(List, MaxAttrs+1)},
	} {
		got, err := Append([]byte("before"), tc.list)
		if err == nil || string(got) != "before" {
			t.Errorf("%s: got %.40q, %v, want an error and nothing added", tc.name, got, err)
		}
	}
}

func TestLookups(t *testing.T) {
	l := List{{"a", "1"}, {"b", "x"}, {"a", "2"}}
	if got := l.All("a"); !reflect.DeepEqual(got, []string{"1", "2"}) {
		t.Errorf("All: got %v", got)
	}
	if n, err := l.Int("a"); n != 1 || err != nil {
		t.Errorf("Int: got %d, %v", n, err)
	}
	for _, name := range []string{"b", "c"} {
		if n, err := l.Int(name); err == nil {
			t.Errorf("Int(%s): got %d, want an error", name, n)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a=1\nb=2\n\n"))
	f.Add([]byte("a=1\nb"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := Read(bufio.NewReaderSize(bytes.NewReader(in), MaxLine))
		if err != nil {
			return
		}
		out, err := Append(nil, l)
		if err != nil {
			t.Fatalf("Append of what Read gave: %v", err)
		}
		if !bytes.HasPrefix(in, out) {
			t.Errorf("got %q back, want the start of %q", out, in)
		}
		if l2, err := Parse(out); err != nil || !reflect.DeepEqual(l, l2) {
			t.Errorf("Parse: got %v, %v, want %v", l2, err, l)
		}
	})
}
