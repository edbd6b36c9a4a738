package schedule

import (
	"bytes"
	"iter"
	"slices"

	"posthorn/internal/id"
	"posthorn/internal/spool"
)

// pageLen is how many items a page of the roll holds.
const pageLen = 512

// roll is all items by id and so by arrival: pages of pointers in order, none
// empty. New ids are the greatest, which keeps the pages full, at eight bytes an
// item.
type roll struct {
	pages [][]*Item
	count int
}

func compare(it *Item, k id.Key) int {
	own := it.ref.Key()
	return bytes.Compare(own[:], k[:])
}

// place returns where k is, or where it belongs: a page that ends at k or behind
// it, or the last one.
func (r *roll) place(k id.Key) (page, at int, found bool) {
	page, _ = slices.BinarySearchFunc(r.pages, k, func(p []*Item, k id.Key) int { return compare(p[len(p)-1], k) })
	if page == len(r.pages) {
		if page == 0 {
			return 0, 0, false
		}
		page--
	}
	at, found = slices.BinarySearchFunc(r.pages[page], k, compare)
	return page, at, found
}

// get returns the item of an id, or nil.
func (r *roll) get(k id.Key) *Item {
	page, at, found := r.place(k)
	if !found {
		return nil
	}
	return r.pages[page][at]
}

// set takes an item in, instead of another one of the same id.
func (r *roll) set(it *Item) {
	page, at, found := r.place(it.ref.Key())
	switch {
	case found:
		r.pages[page][at] = it
		return
	case page == len(r.pages), len(r.pages[page]) == pageLen && page == len(r.pages)-1 && at == pageLen:
		r.pages = append(r.pages, append(make([]*Item, 0, pageLen), it))
	default:
		if len(r.pages[page]) == pageLen {
			page, at = r.split(page, at)
		}
		r.pages[page] = slices.Insert(r.pages[page], at, it)
	}
	r.count++
}

// split makes two pages of a full one and returns where its place at is now.
func (r *roll) split(page, at int) (newPage, newAt int) {
	full := r.pages[page]
	rest := append(make([]*Item, 0, pageLen), full[pageLen/2:]...)
	clear(full[pageLen/2:])
	r.pages[page] = full[:pageLen/2]
	r.pages = slices.Insert(r.pages, page+1, rest)
	if at > pageLen/2 {
		return page + 1, at - pageLen/2
	}
	return page, at
}

// remove takes the item of an id out, and a page away when little is left.
func (r *roll) remove(k id.Key) {
	page, at, found := r.place(k)
	if !found {
		return
	}
	r.count--
	r.pages[page] = slices.Delete(r.pages[page], at, at+1)
	switch left := r.pages[page]; {
	case len(left) == 0:
		r.pages = slices.Delete(r.pages, page, page+1)
	case page+1 < len(r.pages) && len(left)+len(r.pages[page+1]) <= pageLen/2:
		r.pages[page] = append(left, r.pages[page+1]...)
		r.pages = slices.Delete(r.pages, page+1, page+2)
	}
}

// behind goes through the items behind the id k.
func (r *roll) behind(k id.Key) iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		page, at, found := r.place(k)
		if found {
			at++
		}
		for ; page < len(r.pages); page, at = page+1, 0 {
			for _, it := range r.pages[page][at:] {
				if !yield(it) {
					return
				}
			}
		}
	}
}

// all goes through all items.
func (r *roll) all() iter.Seq[*Item] { return r.behind(id.Key{}) }

// reserve adds an item for an id that has no place in the queue yet.
func (r *roll) reserve(msg string) *Item {
	it := &Item{ref: spool.Unplaced(msg), pos: -1, state: arriving}
	r.set(it)
	return it
}
