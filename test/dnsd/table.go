package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// table is what is answered. It is safe for concurrent use.
type table struct {
	path string

	mu      sync.Mutex
	changed time.Time
	records map[string][]dns.RR
	faults  map[string]string // name to one of faultWords
	asked   map[string]int    // questions for names that flap
}

const faultWords = " servfail refused flap silent truncate cut other forged ad "

// load reads the file if it has changed since.
func (t *table) load() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.path == "" {
		return nil
	}
	info, err := os.Stat(t.path)
	if err != nil || info.ModTime().Equal(t.changed) {
		return err
	}
	content, err := os.ReadFile(t.path)
	if err != nil {
		return err
	}
	records, faults, err := parse(t.path, content)
	if err != nil {
		return err
	}
	t.records, t.faults, t.asked, t.changed = records, faults, map[string]int{}, info.ModTime()
	return nil
}

func parse(file string, content []byte) (map[string][]dns.RR, map[string]string, error) {
	records, faults := map[string][]dns.RR{}, map[string]string{}
	var zone bytes.Buffer
	for n, line := range strings.Split(string(content), "\n") {
		word, ok := strings.CutPrefix(line, "!")
		if !ok {
			zone.WriteString(line)
		} else if f := strings.Fields(word); len(f) == 2 && strings.Contains(faultWords, " "+f[0]+" ") {
			faults[dns.CanonicalName(f[1])] = f[0]
		} else {
			return nil, nil, fmt.Errorf("%s:%d: found %q, expected one of%sbehind the ! and a name", file, n+1, line, faultWords)
		}
		zone.WriteByte('\n')
	}
	p := dns.NewZoneParser(&zone, ".", file)
	p.SetDefaultTTL(60)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := dns.CanonicalName(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	return records, faults, p.Err()
}

// answer makes the reply, or nil for silence.
func (t *table) answer(m *dns.Msg, tcp bool) *dns.Msg {
	if err := t.load(); err != nil {
		fmt.Fprintln(os.Stderr, "dnsd:", err) // The table read before stays.
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := new(dns.Msg).SetReply(m)
	r.RecursionAvailable = true
	if len(m.Question) != 1 {
		return r.SetRcode(m, dns.RcodeFormatError)
	}
	q := m.Question[0]
	name := dns.CanonicalName(q.Name)
	fault := t.faults[name]
	t.asked[name]++
	switch {
	case fault == "silent", fault == "cut" && tcp:
		return nil
	case fault == "servfail", fault == "flap" && t.asked[name]%2 == 1:
		return r.SetRcode(m, dns.RcodeServerFailure)
	case fault == "refused":
		return r.SetRcode(m, dns.RcodeRefused)
	case fault == "truncate" && !tcp, fault == "cut":
		r.Truncated = true
		return r
	}
	t.fill(r, q)
	lie(r, fault)
	// RFC 6840 5.8: only who asks for the AD bit gets it.
	r.AuthenticatedData = fault == "ad" && m.AuthenticatedData
	if size := dns.MinMsgSize; !tcp {
		if o := m.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		r.Truncate(size)
	}
	return r
}

// lie makes an answer one that is not to its question.
func lie(r *dns.Msg, fault string) {
	switch fault {
	case "forged":
		r.Id++
	case "other":
		for _, rr := range r.Answer {
			rr.Header().Name = "other.invalid."
		}
	}
}

// fill adds the records of the question's name, through CNAMEs.
func (t *table) fill(r *dns.Msg, q dns.Question) {
	name := dns.CanonicalName(q.Name)
	for range 8 {
		found, exists := t.find(name)
		if !exists {
			r.Rcode = dns.RcodeNameError
			break
		}
		next := ""
		for _, rr := range found {
			c, alias := rr.(*dns.CNAME)
			if rr.Header().Rrtype != q.Qtype && !alias {
				continue
			}
			rr = dns.Copy(rr)
			rr.Header().Name = name
			r.Answer = append(r.Answer, rr)
			if alias && q.Qtype != dns.TypeCNAME {
				next = dns.CanonicalName(c.Target)
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	if len(r.Answer) == 0 {
		r.Ns = []dns.RR{&dns.SOA{
			Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 5},
			Ns:  "dnsd.invalid.", Mbox: "root.invalid.", Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 5,
		}}
	}
}

// find returns the records of a name, or of the wildcard that covers it. A name
// exists, too, when there are names below it.
func (t *table) find(name string) (found []dns.RR, exists bool) {
	if rrs, ok := t.records[name]; ok {
		return rrs, true
	}
	for other := range t.records {
		if dns.IsSubDomain(name, other) {
			return nil, true
		}
	}
	for rest := name; rest != "."; {
		_, parent, _ := strings.Cut(rest, ".")
		if parent == "" {
			parent = "."
		}
		wildcard := "*." + strings.TrimPrefix(parent, ".")
		if rrs, ok := t.records[wildcard]; ok {
			return rrs, true
		}
		rest = parent
	}
	return nil, false
}
