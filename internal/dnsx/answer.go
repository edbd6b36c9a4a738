package dnsx

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// answer is what one reply says about one question.
type answer struct {
	rrs    []dns.RR // records of the asked type at name
	name   string   // end of the CNAME chain within the reply
	steps  int      // CNAMEs followed
	again  bool     // the reply stops at a CNAME: ask for name
	status Status
	ttl    time.Duration
}

var errLame = errors.New("the server refers elsewhere instead of answering")

// usable says whether a reply is an answer rather than a server's failure.
func usable(m *dns.Msg) error {
	switch m.Rcode {
	case dns.RcodeSuccess:
		if len(m.Answer) == 0 && soa(m) == nil && len(m.Ns) > 0 && !m.RecursionAvailable && !m.Authoritative {
			return errLame
		}
		return nil
	case dns.RcodeNameError:
		return nil
	}
	if word, ok := dns.RcodeToString[m.Rcode]; ok {
		return fmt.Errorf("server answers %s", word)
	}
	return fmt.Errorf("server answers rcode %d", m.Rcode)
}

// answers reports whether a reply that has records has any of the name that q
// asks for: a server that sends only others' does not say that there are none.
func answers(m *dns.Msg, q question) bool {
	return len(m.Answer) == 0 || slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return strings.EqualFold(rr.Header().Name, q.name) })
}

// read takes the records that answer q out of a usable reply, following at most
// limit CNAMEs inside it. What belongs to other names is ignored.
func read(m *dns.Msg, q question, limit int) (answer, error) {
	a := answer{name: q.name, ttl: time.Duration(1<<63 - 1)}
	for {
		a.rrs = a.take(m, q.qtype)
		if len(a.rrs) > 0 {
			a.status = Found
			return a, nil
		}
		next, ok := a.alias(m)
		if !ok {
			break
		}
		if a.steps++; a.steps > limit {
			return a, errChain
		}
		a.name = next
	}
	a.nothing(m)
	return a, nil
}

// nothing fills in why there is no record at the end of the chain.
func (a *answer) nothing(m *dns.Msg) {
	negative := soa(m)
	switch {
	case m.Rcode == dns.RcodeNameError:
		a.status = NXDomain
	case a.steps > 0 && negative == nil:
		a.again = true
		return
	default:
		a.status = NoData
	}
	if negative == nil {
		a.ttl = 0 // RFC 2308 5: without the SOA a negative answer is not kept.
		return
	}
	a.ttl = min(a.ttl, seconds(negative.Hdr.Ttl), seconds(negative.Minttl))
}

func (a *answer) take(m *dns.Msg, qtype uint16) []dns.RR {
	var list []dns.RR
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Rrtype == qtype && a.owns(h) && whole(rr) {
			list = append(list, rr)
			a.ttl = min(a.ttl, seconds(h.Ttl))
		}
	}
	return list
}

func (a *answer) alias(m *dns.Msg) (string, bool) {
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok && a.owns(&c.Hdr) && whole(rr) {
			a.ttl = min(a.ttl, seconds(c.Hdr.Ttl))
			return dns.CanonicalName(c.Target), true
		}
	}
	return "", false
}

func (a *answer) owns(h *dns.RR_Header) bool {
	return h.Class == dns.ClassINET && strings.EqualFold(h.Name, a.name)
}

// whole is false for a record whose data ends early, which the library takes for
// one with empty fields.
func whole(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return rr.Target != ""
	case *dns.MX:
		return rr.Mx != ""
	case *dns.PTR:
		return rr.Ptr != ""
	case *dns.TXT:
		return len(rr.Txt) > 0
	case *dns.TLSA:
		return rr.Certificate != ""
	case *dns.A, *dns.AAAA:
		_, ok := address(rr)
		return ok
	}
	return false
}

func soa(m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			return s
		}
	}
	return nil
}

// seconds reads a TTL; one with the top bit set counts as zero (RFC 2181 8).
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// joinTXT joins the strings of a TXT record and takes back the escapes in which
// the library hands bytes over.
func joinTXT(parts []string) string {
	var b strings.Builder
	for _, s := range parts {
		unescape(&b, s)
	}
	return b.String()
}

func unescape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && isDigits(s[i+1:i+4]):
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0'))
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func tlsa(rr dns.RR) (TLSA, bool) {
	t, ok := rr.(*dns.TLSA)
	if !ok {
		return TLSA{}, false
	}
	data, err := hex.DecodeString(t.Certificate)
	return TLSA{t.Usage, t.Selector, t.MatchingType, data}, err == nil
}
