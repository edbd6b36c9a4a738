package seek

import (
	"cmp"
	"slices"
	"time"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Prepare makes a key ready for a folder: "*" in sets gets its value, "$" is saved, and
// keys that cost little come first, so that few messages are opened.
func Prepare(k query.Key, v *mailbox.View, saved wire.Set) query.Key {
	switch n := uint32(v.Len()); k.Op {
	case query.Seq:
		k.Set = k.Set.Resolve(n) // numbers that no message has find none
	case query.UIDs:
		k.Set = k.Set.Resolve(v.At(int(n)).UID)
	case query.Saved:
		k = query.Key{Op: query.UIDs, Set: saved}
	case query.Older, query.Younger:
		k.Date = time.Now().Truncate(time.Second).Add(-time.Duration(k.Num) * time.Second)
	}
	for i, sub := range k.Sub {
		k.Sub[i] = Prepare(sub, v, saved)
	}
	slices.SortStableFunc(k.Sub, func(a, b query.Key) int { return cmp.Compare(cost(a), cost(b)) })
	return k
}

// cost orders keys: that of the dearest part, as query.Op is ordered.
func cost(k query.Key) query.Op {
	if len(k.Sub) == 0 {
		return k.Op
	}
	most := query.All
	for _, sub := range k.Sub {
		most = max(most, cost(sub))
	}
	return most
}
