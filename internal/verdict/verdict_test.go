package verdict

import (
	"errors"
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	never := Fail(Never, "5.1.1", "no such mailbox", errors.New("users: no line"))
	for _, tc := range []struct {
		name string
		err  error
		want Verdict
	}{
		{"nil is done", nil, Verdict{Done, "2.0.0", "ok"}},
		{"an unclassified error is later", errors.New("disk on fire"), Verdict{Later, "4.3.0", "local problem, try again later"}},
		{"a classified error", never, Verdict{Never, "5.1.1", "no such mailbox"}},
		{"a wrapped classified error", fmt.Errorf("deliver: %w", never), Verdict{Never, "5.1.1", "no such mailbox"}},
	} {
		if got := Of(tc.err); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestErr(t *testing.T) {
	if err := New(Done, "2.0.0", "ok").Err(); err != nil {
		t.Errorf("done: got %v, want nil", err)
	}
	if err := New(Later, "4.2.2", "full").Err(); Of(err) != New(Later, "4.2.2", "full") {
		t.Errorf("later: got %v, want the same verdict back", Of(err))
	}
}

func TestParseKind(t *testing.T) {
	for k := Done; k <= Never; k++ {
		if got, err := ParseKind(k.String()); err != nil || got != k {
			t.Errorf("ParseKind(%q): got %v, %v, want %v", k.String(), got, err, k)
		}
	}
	if got, err := ParseKind("perhaps"); err == nil {
		t.Errorf("ParseKind(perhaps): got %v, want an error", got)
	}
}
