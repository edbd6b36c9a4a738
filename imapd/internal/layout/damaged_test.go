package layout

import "testing"

// A damaged index may claim more line ends than there are octets; in a file with LF
// the texts would then lie in front of it, or of one another.
func TestReadMoreLineEndsThanOctets(t *testing.T) {
	for name, l := range map[string]Layout{
		"within": {size: 100, ends: 10, Texts: []Text{{Kind: Message, End: 5, ends: 10}}},
		"before": {size: 100, ends: 10, Texts: []Text{{Kind: Message, End: 5, above: 10}}},
		"between": {size: 100, ends: 40, Texts: []Text{
			{Kind: Message, End: 50}, {Kind: Plain, Off: 51, End: 60, above: 40},
		}},
	} {
		if got, ok := Read(l.Append(nil), nil); ok {
			t.Errorf("%s: got %+v, want it refused", name, got)
		}
	}
}
