package picture

import "testing"

// TestForgottenTombs: of messages that are gone so many are remembered, and of what is
// forgotten it is known that it may be missing.
func TestForgottenTombs(t *testing.T) {
	var p Picture
	mods := []uint64{}
	for uid := range uint32(maxTombs + 1) {
		p.Bury([]uint32{uid + 1})
		mods = append(mods, p.Mod)
	}
	if len(p.Tombs) > maxTombs || len(p.Tombs) == 0 {
		t.Fatalf("got %d, want at most %d", len(p.Tombs), maxTombs)
	}
	first := p.Tombs[0].UID
	if p.Forgotten < mods[first-2] || p.Forgotten >= mods[first-1] {
		t.Errorf("got forgotten up to %d, want up to that of UID %d, %d", p.Forgotten, first-1, mods[first-2])
	}
}
