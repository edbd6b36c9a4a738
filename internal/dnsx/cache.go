package dnsx

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Bounds of the cache: entries, records in one of them, and how long what is
// there, and what is not there, may be kept whatever the zone says.
const (
	cacheEntries = 1024
	cacheRecords = 64
	cacheTTL     = time.Hour
	cacheNoTTL   = 5 * time.Minute
)

type question struct {
	name  string
	qtype uint16
}

type cached struct {
	rrs     []dns.RR
	meta    Meta
	expires time.Time
}

// cache keeps answers for their time to live. Its records are shared and never
// changed. It is safe for concurrent use.
type cache struct {
	mu      sync.Mutex
	entries map[question]cached
	now     func() time.Time
}

func newCache() *cache {
	return &cache{entries: make(map[question]cached), now: time.Now}
}

func (c *cache) get(q question) ([]dns.RR, Meta, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[q]
	if !ok {
		return nil, Meta{}, false
	}
	left := e.expires.Sub(c.now())
	if left <= 0 {
		delete(c.entries, q)
		return nil, Meta{}, false
	}
	e.meta.TTL = left
	return e.rrs, e.meta, true
}

func (c *cache) put(q question, rrs []dns.RR, meta Meta) {
	limit := cacheTTL
	if meta.Status != Found {
		limit = cacheNoTTL
	}
	ttl := min(meta.TTL, limit)
	if meta.Status == Temporary || ttl <= 0 || len(rrs) > cacheRecords {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= cacheEntries {
		c.evict()
	}
	c.entries[q] = cached{rrs, meta, c.now().Add(ttl)}
}

// evict drops what has expired, and when that is nothing, any one entry.
func (c *cache) evict() {
	now, before := c.now(), len(c.entries)
	for q, e := range c.entries {
		if !e.expires.After(now) {
			delete(c.entries, q)
		}
	}
	if len(c.entries) < before {
		return
	}
	for q := range c.entries {
		delete(c.entries, q)
		return
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}
