package dnsx

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestCache(t *testing.T) {
	s := serve(t, zone(`example.org. 300 IN MX 10 mx.example.org.`, `zero.example. 0 IN MX 1 mx.example.`))
	r := resolver(t, s)
	now := time.Unix(1e9, 0)
	r.cache.now = func() time.Time { return now }
	ask := func(name string, want int) {
		t.Helper()
		_, _, err := r.LookupMX(t.Context(), name)
		if udp, _ := s.counts(); udp != want || err != nil {
			t.Errorf("%s: got %d questions %v, want %d", name, udp, err, want)
		}
	}
	ask("example.org", 1)
	ask("EXAMPLE.org.", 1)
	now = now.Add(299 * time.Second)
	if _, meta, _ := r.LookupMX(t.Context(), "example.org"); meta.TTL != time.Second {
		t.Errorf("TTL left: got %v, want 1s", meta.TTL)
	}
	now = now.Add(2 * time.Second)
	ask("example.org", 2)
	ask("missing.example", 3)
	ask("missing.example", 3)
	now = now.Add(61 * time.Second) // The SOA's minimum is 60.
	ask("missing.example", 4)
	ask("zero.example", 5)
	ask("zero.example", 6)
}

func TestCacheBound(t *testing.T) {
	c := newCache()
	for i := range 3 * cacheEntries {
		c.put(question{fmt.Sprint(i), dns.TypeMX}, nil, Meta{Status: NoData, TTL: time.Minute})
	}
	if len(c.entries) > cacheEntries {
		t.Errorf("got %d entries, want at most %d", len(c.entries), cacheEntries)
	}
}
