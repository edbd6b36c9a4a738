package mailbox

import (
	"testing"
	"unsafe"

	"posthorn/internal/picture"
)

func TestRecordIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(picture.Record{}); got != 56 {
		t.Errorf("got %d bytes a record, want 56", got)
	}
}
