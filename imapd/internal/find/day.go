package find

import (
	"strconv"
	"strings"
	"time"
)

// day returns the day of a date (RFC 5322 section 3.3 with the obsolete forms of
// section 4.3) as midnight UTC. The time has to be there and make sense; what
// follows it counts for nothing.
func day(v string) (time.Time, bool) {
	words := dateWords(v)
	if len(words) > 0 && !digits(words[0]) && weekday(words[0]) {
		words = words[1:]
	}
	if len(words) > 0 && words[0] == "," {
		words = words[1:]
	}
	if len(words) < 6 || !digits(words[0]) || !digits(words[2]) || len(words[0]) > 2 {
		return time.Time{}, false
	}
	month := month(words[1])
	d, _ := strconv.Atoi(words[0])
	y, err := strconv.Atoi(words[2])
	if err != nil || month == 0 || !clock(words[3:]) {
		return time.Time{}, false
	}
	switch { // RFC 5322 section 4.3
	case len(words[2]) < 3 && y < 50:
		y += 2000
	case len(words[2]) < 4:
		y += 1900
	}
	t := time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == d && y < 10000
}

// dateWords splits a date into words and marks, without comments.
func dateWords(v string) (words []string) {
	depth, start := 0, -1
	flush := func(end int) {
		if start >= 0 {
			words = append(words, v[start:end])
		}
		start = -1
	}
	for i := 0; i < len(v) && len(words) < 16; i++ {
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
			words = append(words, string(c))
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

func weekday(s string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()[:3]) {
			return true
		}
	}
	return false
}

// month returns the month of a name, 0 if there is none.
func month(s string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(s, m.String()[:3]) {
			return m
		}
	}
	return 0
}

// clock reports whether words begin with a time of day.
func clock(words []string) bool {
	limits := []int{24, 60, 61} // a minute may have a leap second
	for i, limit := range limits {
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 0 || n >= limit {
			return false
		}
		if i == 2 || len(words) < 3 || words[1] != ":" {
			return i > 0
		}
		words = words[2:]
	}
	return true
}
