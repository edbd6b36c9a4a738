// Package id makes the one id that a message, session or request carries
// through every daemon, log line, spool name and Maildir file name.
package id

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// An id is 128 bits, written as 26 characters of Crockford's base32 in lower
// case: safe as a file name, in a header and in a log line.
const (
	Len      = 26
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	timeBits = 55 // microseconds since 1970: good until the year 3111
)

// Source makes ids that rise, even when the clock is set back. It is safe for
// concurrent use.
type Source struct {
	now func() time.Time

	mu    sync.Mutex
	start time.Time // with its monotonic reading, so that later times cannot go back
	last  uint64
}

// NewSource returns a source that asks now, which defaults to time.Now.
func NewSource(now func() time.Time) *Source {
	if now == nil {
		now = time.Now
	}
	return &Source{now: now, start: now()}
}

var source = NewSource(nil)

// New returns a new id from the process's own source.
func New() string { return source.New() }

// New returns a new id, greater than all before from this source.
func (s *Source) New() string {
	var b [16]byte
	rand.Read(b[7:]) // never fails (crypto/rand.Read)
	micros := s.tick()
	v := micros << (64 - timeBits)
	for i := range 7 {
		b[i] = byte(v >> (56 - 8*i))
	}
	// 55 bits end one bit into the seventh byte; the last bit is random too.
	b[6] |= b[15] & 1
	return Key(b).String()
}

// tick returns the microseconds of now, or the last plus one when the clock
// stands still or goes back.
func (s *Source) tick() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := s.now().Sub(s.start) // monotonic where the readings have it
	t := uint64(s.start.Add(elapsed).UnixMicro()) & (1<<timeBits - 1)
	if t <= s.last {
		t = s.last + 1
	}
	s.last = t
	return t
}

// Key is an id in its 128 bits, for tables of many. Keys have the order of ids.
type Key [16]byte

// KeyOf returns the key of an id. What is none has the zero Key, which no Source
// makes.
func KeyOf(s string) (k Key) {
	if !Valid(s) {
		return k
	}
	var acc uint32
	bits := -2 // 130 bits in 26 characters: two zero bits in front
	n := 0
	for i := range Len {
		acc = acc<<5 | uint32(value(s[i]))
		if bits += 5; bits >= 8 {
			bits -= 8
			k[n] = byte(acc >> bits)
			n++
		}
	}
	return k
}

// String writes the 128 bits as 26 characters, the highest bits first; the first
// character carries three of them.
func (k Key) String() string {
	var out [Len]byte
	var acc uint32
	bits := 2 // 130 bits in 26 characters: two zero bits in front
	n := 0
	for _, c := range k {
		acc = acc<<8 | uint32(c)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[n] = alphabet[acc>>bits&31]
			n++
		}
		acc &= 1<<bits - 1
	}
	return string(out[:])
}

// Valid reports whether s has the form of an id.
func Valid(s string) bool {
	if len(s) != Len || s[0] > '7' {
		return false
	}
	for i := range Len {
		if value(s[i]) < 0 {
			return false
		}
	}
	return true
}

func value(c byte) int { return strings.IndexByte(alphabet, c) }

// ErrForm is returned for a string that is no id.
var ErrForm = errors.New("not an id")

// Time returns the moment at which s was made, by its maker's clock.
func Time(s string) (time.Time, error) {
	if !Valid(s) {
		return time.Time{}, fmt.Errorf("%.40q: %w", s, ErrForm)
	}
	var v uint64
	for i := range 12 { // 58 of the 128 bits, of which 55 are the time
		v = v<<5 | uint64(value(s[i]))
	}
	return time.UnixMicro(int64(v >> 3)), nil
}
