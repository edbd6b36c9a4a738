package mailbox

import (
	"reflect"
	"testing"
)

// TestAppendAt: a list of messages is what At says of each, whether they are there,
// gone or none at all.
func TestAppendAt(t *testing.T) {
	b := openBox(t, newStore(t, Options{}), t.TempDir())
	for i := range SystemFlag(32) {
		appendText(t, b, "INBOX", "m", Flags{System: i, Keywords: []string{"a", "b"}[:i%3]})
	}
	v := sel(t, b, "INBOX", false)
	if err := v.Remove([]uint32{3, 4}); err != nil {
		t.Fatal(err)
	}
	for seq := range 32 {
		if got := v.At(seq + 1); !got.Gone && got.Flags.System != SystemFlag(seq) {
			t.Errorf("message %d: got flags %b, want %b", seq+1, got.Flags.System, seq)
		}
	}
	var want []Message
	for seq := 0; seq <= 33; seq++ {
		want = append(want, v.At(seq))
		if got := v.UID(seq); got != want[seq].UID {
			t.Errorf("message %d: got UID %d, want %d", seq, got, want[seq].UID)
		}
	}
	since := v.HighestModSeq()
	if _, err := v.Store([]int{9, 2}, Add, Flags{Keywords: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	if got := v.Changed(since, 0, 33); !reflect.DeepEqual(got, []int{2, 9}) {
		t.Errorf("got %v changed, want 2 and 9", got)
	}
	if got := v.Changed(0, 2, 5); !reflect.DeepEqual(got, []int{2, 5}) {
		t.Errorf("got %v of 2 to 5, want 2 and 5: the others are gone", got)
	}
	want = v.AppendAt(nil, 0, 33)
	for seq, m := range want {
		if got := v.At(seq); !reflect.DeepEqual(got, m) {
			t.Errorf("message %d: got %v, want %v", seq, m, got)
		}
	}
	got := v.AppendAt([]Message{want[7]}, 0, 33)
	if !reflect.DeepEqual(got[1:], want) || !reflect.DeepEqual(got[0], want[7]) {
		t.Errorf("got %v, want %v", got, want)
	}
}
