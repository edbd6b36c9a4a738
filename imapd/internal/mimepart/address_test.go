package mimepart

import (
	"strings"
	"testing"
)

// TestLongDomain: a domain of many labels, with blanks between them, is put together
// once, not anew for each.
func TestLongDomain(t *testing.T) {
	const labels = 100000
	text := "a@" + strings.Repeat("b . ", labels) + "c"
	var list []Address
	allocs := testing.AllocsPerRun(1, func() { list = parseAddresses(text) })
	if want := strings.Repeat("b.", labels) + "c"; len(list) != 1 || list[0].Host != want {
		t.Errorf("got %d addresses, want one with all labels", len(list))
	}
	if allocs > 1000 {
		t.Errorf("got %v allocations for %d labels, want a few", allocs, labels)
	}
}
