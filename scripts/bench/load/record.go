package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// results are what run printed, of all rounds: values by peer, row and what.
// Lines that begin with # are facts about the machine and the servers.
type results struct {
	facts  []string
	values map[string][]float64
}

func readResults(r io.Reader) (*results, error) {
	all := &results{values: map[string][]float64{}}
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		if fact, ok := strings.CutPrefix(s.Text(), "# "); ok {
			if !slices.Contains(all.facts, fact) { // each row says it
				all.facts = append(all.facts, fact)
			}
			continue
		}
		f := strings.Split(s.Text(), "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("line %d: found %q, expected peer, row, what and value", n, s.Text())
		}
		v, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: found %q, expected a number", n, f[3])
		}
		key := strings.Join(f[:3], " ")
		all.values[key] = append(all.values[key], v)
	}
	return all, s.Err()
}

// median returns the middle one of the rounds, and whether there was any.
func (r *results) median(peer, row, what string) (float64, bool) {
	v := slices.Sorted(slices.Values(r.values[peer+" "+row+" "+what]))
	if len(v) == 0 {
		return 0, false
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}

// sum returns the sum of all rounds.
func (r *results) sum(peer, row, what string) (float64, bool) {
	all := r.values[peer+" "+row+" "+what]
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum, len(all) > 0
}

// rounds returns the number of times that a row was measured, at most.
func (r *results) rounds() int {
	n := 0
	for _, v := range r.values {
		n = max(n, len(v))
	}
	return n
}

// number writes v with three figures that count.
func number(v float64) string {
	digits := 0
	switch {
	case v >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 100 || v == 0:
	case v >= 10:
		digits = 1
	case v >= 0.1:
		digits = 2
	case v >= 0.01:
		digits = 3
	default:
		digits = 5
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
