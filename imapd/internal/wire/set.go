package wire

import (
	"slices"
	"sort"
)

// maxRanges bounds the ranges of one sequence set; a line of 64 KiB holds no
// more than 32,768.
const maxRanges = 32 << 10

// Range is the numbers from Lo to Hi, both included. 0 stands for "*".
type Range struct{ Lo, Hi uint32 }

// Set is a sequence set as it was written (RFC 3501 section 9).
type Set []Range

// Set takes a sequence set without "$".
func (s *Scanner) Set() (Set, error) {
	set, saved, err := s.SavedSet()
	if err == nil && saved {
		err = bad("invalid message set")
	}
	return set, err
}

// SavedSet takes a sequence set. saved says that it ends with "$", the result of
// the last SEARCH that saved it (RFC 5182 section 3), which need not be alone (RFC
// 9051 section 9, sequence-set).
func (s *Scanner) SavedSet() (set Set, saved bool, err error) {
	for {
		if s.Accept('$') {
			return set, true, nil
		}
		r, err := s.setRange()
		if err != nil {
			return nil, false, err
		}
		if set = append(set, r); len(set) > maxRanges {
			return nil, false, bad("message set too long")
		}
		if !s.Accept(',') {
			return set, false, nil
		}
	}
}

func (s *Scanner) setRange() (Range, error) {
	lo, err := s.setNumber()
	if err != nil || !s.Accept(':') {
		return Range{lo, lo}, err
	}
	hi, err := s.setNumber()
	return Range{lo, hi}, err
}

func (s *Scanner) setNumber() (uint32, error) {
	if s.Accept('*') {
		return 0, nil
	}
	n, err := s.Number()
	if err != nil || n == 0 {
		return 0, bad("invalid message set")
	}
	return n, nil
}

// Max returns the largest number the set names, 0 if it names only "*".
func (set Set) Max() uint32 {
	var m uint32
	for _, r := range set {
		m = max(m, r.Lo, r.Hi)
	}
	return m
}

// Resolve returns the set with "*" replaced by star, ranges turned the right
// way round, sorted and without overlaps. With star 0 (an empty mailbox)
// ranges that name "*" are left out.
func (set Set) Resolve(star uint32) Set {
	out := make(Set, 0, len(set))
	for _, r := range set {
		if r.Lo == 0 {
			r.Lo = star
		}
		if r.Hi == 0 {
			r.Hi = star
		}
		if r.Lo == 0 || r.Hi == 0 {
			continue
		}
		out = append(out, Range{min(r.Lo, r.Hi), max(r.Lo, r.Hi)})
	}
	slices.SortFunc(out, func(a, b Range) int {
		switch {
		case a.Lo < b.Lo:
			return -1
		case a.Lo > b.Lo:
			return 1
		}
		return 0
	})
	return out.merge()
}

func (set Set) merge() Set {
	if len(set) == 0 {
		return set
	}
	n := 0
	for _, r := range set[1:] {
		if set[n].Hi == ^uint32(0) || r.Lo <= set[n].Hi+1 {
			set[n].Hi = max(set[n].Hi, r.Hi)
			continue
		}
		n++
		set[n] = r
	}
	return set[:n+1]
}

// Has reports whether n is in the set, which must be resolved.
func (set Set) Has(n uint32) bool {
	i := sort.Search(len(set), func(i int) bool { return set[i].Hi >= n })
	return i < len(set) && set[i].Lo <= n
}

// Append appends the set, which must be resolved, as it is written.
func (set Set) Append(dst []byte) []byte {
	for i, r := range set {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUint(dst, uint64(r.Lo))
		if r.Hi > r.Lo {
			dst = append(dst, ':')
			dst = appendUint(dst, uint64(r.Hi))
		}
	}
	return dst
}

// AppendSet appends the shortest notation of the rising numbers nums, as in
// COPYUID (RFC 4315 section 4).
func AppendSet(dst []byte, nums []uint32) []byte {
	for i := 0; i < len(nums); {
		j := i
		for j+1 < len(nums) && nums[j+1] == nums[j]+1 {
			j++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUint(dst, uint64(nums[i]))
		if j > i {
			dst = append(dst, ':')
			dst = appendUint(dst, uint64(nums[j]))
		}
		i = j + 1
	}
	return dst
}
