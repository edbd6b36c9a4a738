package daemon

import (
	"os"
	"testing"
)

func TestTakeParent(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  int
	}{{"", 0}, {"77", 77}, {"0", 0}, {"-1", 0}, {"77x", 0}} {
		t.Setenv(ParentVariable, tt.value)
		if got := takeParent(); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.value, got, tt.want)
		}
		if v, ok := os.LookupEnv(ParentVariable); ok {
			t.Errorf("got %s=%s, want it gone", ParentVariable, v)
		}
	}
}
