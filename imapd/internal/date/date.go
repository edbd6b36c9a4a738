// Package date reads the Date field of messages (RFC 5322 section 3.3 with the
// obsolete forms of section 4.3). It has no state; everything may be used by many
// goroutines.
package date

import (
	"strconv"
	"strings"
	"time"
)

// Date is what a Date field says.
type Date struct {
	Day   time.Time     // midnight UTC of the day that it names, whatever its zone
	Timed bool          // it has a time of day that makes sense
	clock time.Duration // since midnight, with Timed
	zone  time.Duration // east of Greenwich, with Timed
}

// Sent returns the instant, with midnight for a time and UTC for a zone that make
// no sense (RFC 5256 section 2.2).
func (d Date) Sent() time.Time { return d.Day.Add(d.clock - d.zone) }

// Parse takes a Date field apart; ok is false when it names no day.
func Parse(v string) (d Date, ok bool) {
	var room [maxWords]string
	words := split(room[:0], v)
	if len(words) > 0 && !digits(words[0]) && weekday(words[0]) {
		words = words[1:]
	}
	if len(words) > 0 && words[0] == "," {
		words = words[1:]
	}
	if len(words) < 3 || !digits(words[0]) || !digits(words[2]) || len(words[0]) > 2 {
		return Date{}, false
	}
	if d.Day, ok = day(words[0], words[1], words[2]); !ok {
		return Date{}, false
	}
	since, rest, timed := clock(words[3:])
	if timed {
		d.Timed, d.clock = true, since
		if len(rest) > 0 {
			d.zone = zone(rest[0])
		}
	}
	return d, true
}

func day(dd, mmm, yy string) (time.Time, bool) {
	month := month(mmm)
	d, _ := strconv.Atoi(dd)
	y, err := strconv.Atoi(yy)
	if err != nil || month == 0 {
		return time.Time{}, false
	}
	switch { // RFC 5322 section 4.3
	case len(yy) < 3 && y < 50:
		y += 2000
	case len(yy) < 4:
		y += 1900
	}
	t := time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == d && y < 10000
}

// maxWords bounds the words of a date that are looked at.
const maxWords = 16

// split appends the words and marks of a date, without comments, to words.
func split(words []string, v string) []string {
	depth, start := 0, -1
	flush := func(end int) {
		if start >= 0 {
			words = append(words, v[start:end])
		}
		start = -1
	}
	for i := 0; i < len(v) && len(words) < maxWords; i++ {
		switch c := v[i]; {
		case c == '(':
			flush(i)
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case strings.IndexByte(" \t\r\n", c) >= 0:
			flush(i)
		case c == ',' || c == ':':
			flush(i)
			words = append(words, v[i:i+1])
		case start < 0:
			start = i
		}
	}
	flush(len(v))
	return words
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func weekday(s string) bool { return name("sunmontuewedthufrisat", s) > 0 }

// month returns the month of a name, 0 if there is none.
func month(s string) time.Month {
	return time.Month(name("janfebmaraprmayjunjulaugsepoctnovdec", s))
}

// name returns which of the names of three letters s is, from 1, or 0.
func name(names, s string) int {
	if len(s) != 3 {
		return 0
	}
	for i := 0; i < len(names); i += 3 {
		if strings.EqualFold(names[i:i+3], s) {
			return i/3 + 1
		}
	}
	return 0
}

// clock takes a time of day; ok is false when words do not begin with one.
func clock(words []string) (since time.Duration, rest []string, ok bool) {
	units := []time.Duration{time.Hour, time.Minute, time.Second}
	limits := []int{24, 60, 61} // a minute may have a leap second
	for i, limit := range limits {
		if len(words) == 0 {
			return 0, nil, false
		}
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 0 || n >= limit {
			return 0, nil, false
		}
		since += time.Duration(n) * units[i]
		if words = words[1:]; i == 2 || len(words) < 2 || words[0] != ":" {
			return since, words, i > 0
		}
		words = words[1:]
	}
	return since, words, true
}

// zone returns how far east of Greenwich a zone is, 0 for one that makes no
// sense and for those of one letter, which were used either way (RFC 5322 section
// 4.3).
func zone(s string) time.Duration {
	if len(s) == 5 && (s[0] == '+' || s[0] == '-') && digits(s[1:]) {
		n, _ := strconv.Atoi(s)
		if n%100 > 59 || n%100 < -59 {
			return 0
		}
		return time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	}
	// EST and its like are hours behind, and one less in summer.
	if len(s) == 3 && strings.EqualFold(s[2:], "T") {
		hours := strings.Index("ECMP", strings.ToUpper(s[:1]))
		summer := strings.Index("SD", strings.ToUpper(s[1:2]))
		if hours >= 0 && summer >= 0 {
			return time.Duration(summer-hours-5) * time.Hour
		}
	}
	return 0
}
