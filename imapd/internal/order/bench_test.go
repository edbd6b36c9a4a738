package order

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"posthorn/imapd/internal/query"
)

// kept are the facts of 10,000 messages as the index has them: every third is a
// reply, to one of the 50 before it.
func kept(b *testing.B) (all [][]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	subjects := make([]string, 10_000)
	for i := range subjects {
		date := time.Unix(1_700_000_000+r.Int64N(1e7), 0).UTC().Format(time.RFC1123Z)
		subjects[i] = fmt.Sprintf("%x report of %x", r.Uint32N(3000), r.Uint32())
		text := fmt.Sprintf("Message-ID: <%d@example.org>|Date: %s|From: Ann <u%x@example.org>", i, date, r.Uint32N(5000))
		if to := i - 1 - r.IntN(50); i%3 == 0 && to >= 0 {
			subjects[i] = subjects[to]
			text += fmt.Sprintf("|References: <%d@example.org>", to)
		}
		all = append(all, message(b, i+1, text+"|Subject: Re: "+subjects[i]).Facts.Append(nil))
	}
	return all
}

// BenchmarkSort sorts 10,000 messages by what is kept of them.
func BenchmarkSort(b *testing.B) {
	all := kept(b)
	for name, by := range map[string]query.By{"Subject": query.BySubject, "From": query.ByFrom, "Arrival": query.ByArrival} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := NewSorter([]query.Criterion{{By: by}})
				s.Expect(len(all))
				addAll(s.Add, all)
				s.Sorted()
			}
		})
	}
}

// BenchmarkThreads makes threads of them.
func BenchmarkThreads(b *testing.B) {
	all := kept(b)
	for name, alg := range map[string]query.Algorithm{"References": query.References, "OrderedSubject": query.OrderedSubject} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				t := NewThreads(alg)
				t.Expect(len(all))
				addAll(t.Add, all)
				t.Threads()
			}
		})
	}
}

func addAll(add func(*Message), all [][]byte) {
	var m Message
	for i, facts := range all {
		m.Seq, m.Arrival = i+1, time.Unix(int64(i), 0)
		m.Facts.Read(facts)
		add(&m)
	}
}
