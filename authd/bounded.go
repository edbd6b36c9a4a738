package main

import "container/list"

// bounded is a map of at most max entries that forgets the one not touched for
// the longest time. It is not safe for concurrent use.
type bounded[K comparable, V any] struct {
	max     int
	order   *list.List // of *pair, the newest in front
	entries map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newBounded[K comparable, V any](most int) *bounded[K, V] {
	return &bounded[K, V]{max: most, order: list.New(), entries: map[K]*list.Element{}}
}

// get returns the value of key; put alone touches it.
func (b *bounded[K, V]) get(key K) (V, bool) {
	if e, ok := b.entries[key]; ok {
		return e.Value.(*pair[K, V]).value, true
	}
	var none V
	return none, false
}

// put sets the value of key.
func (b *bounded[K, V]) put(key K, value V) {
	if e, ok := b.entries[key]; ok {
		e.Value.(*pair[K, V]).value = value
		b.order.MoveToFront(e)
		return
	}
	if len(b.entries) >= b.max {
		b.remove(b.order.Back().Value.(*pair[K, V]).key)
	}
	b.entries[key] = b.order.PushFront(&pair[K, V]{key, value})
}

func (b *bounded[K, V]) remove(key K) {
	if e, ok := b.entries[key]; ok {
		b.order.Remove(e)
		delete(b.entries, key)
	}
}

func (b *bounded[K, V]) clear() {
	b.order.Init()
	clear(b.entries)
}
