package mailbox

import (
	"testing"
	"unsafe"
)

func TestRecordIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(record{}); got != 56 {
		t.Errorf("got %d bytes a record, want 56", got)
	}
}
