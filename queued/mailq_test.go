package main

import (
	"os"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/door"
	"posthorn/internal/sock"
)

// TestMailqIsForItsUsers: others are refused, and nobody changes anything there.
func TestMailqIsForItsUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	r := w.run()
	ask := func(uid int, request string) string {
		answer, _ := r.answerMailq(t.Context(), sock.Peer{UID: uid}, attr.List{{Name: "request", Value: request}}, nil)
		return answer.Get("verdict") + " " + answer.Get("status")
	}
	r.viewers = viewers{uids: []int{0, 1000}}
	for _, tc := range []struct {
		uid           int
		request, want string
	}{
		{0, door.RequestList, "done 2.0.0"}, {1000, door.RequestList, "done 2.0.0"}, {1001, door.RequestList, "never 5.7.1"},
		{1000, door.RequestShow, "never 5.5.4"}, {1001, door.RequestShow, "never 5.7.1"},
		{0, door.RequestFlush, "never 5.5.1"}, {0, door.RequestRemove, "never 5.5.1"}, {1000, "status", "never 5.5.1"},
	} {
		if got := ask(tc.uid, tc.request); got != tc.want {
			t.Errorf("%d asks %s: got %q, want %q", tc.uid, tc.request, got, tc.want)
		}
	}
	r.viewers = viewers{anyone: true}
	if got := ask(os.Getuid()+7, door.RequestList); got != "done 2.0.0" {
		t.Errorf("anybody: got %q", got)
	}
}
