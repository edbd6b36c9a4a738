package main

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/verdict"
)

// TestResolveSeveral asks for more than one answer holds: each address gets its
// own, and no list is longer than the protocol allows.
func TestResolveSeveral(t *testing.T) {
	var wide strings.Builder
	for n := range 999 {
		fmt.Fprintf(&wide, ", f%d@r.example", n)
	}
	s := newSite(t, "postmaster ann@example.org\n", "ann:!\n", "wide: ann"+wide.String()+"\nbroken: gone\n")
	service := s.service(t)
	c := s.serve(t, service)
	names := []string{"ann@example.org", "nobody@example.org", "broken@example.org", "x@remote.example"}
	for range 5 {
		names = append(names, "wide@example.org")
	}
	var all []addr.Address
	for _, name := range names {
		a, err := addr.ParseOrNull(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	answers, err := c.ResolveAll(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		one, err := c.Resolve(t.Context(), all[i])
		if got, want := fmt.Sprint(a.Resolved, verdict.Of(a.Err)), fmt.Sprint(one, verdict.Of(err)); got != want {
			t.Errorf("%s: got %.200s, want %.200s", names[i], got, want)
		}
	}

	var req attr.List
	for range directory.MaxAddresses + 1 {
		req.Add("address", "ann@example.org")
	}
	if _, err := service.answerResolve(t.Context(), req); verdict.Of(err).Status != "5.5.4" {
		t.Errorf("too many addresses: got %v, want never 5.5.4", err)
	}
}
