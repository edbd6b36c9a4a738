package quota

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"posthorn/internal/conf"
)

// maxFile is the size from which on the file is made anew, as Maildir++ has it.
const maxFile = 5120

// most bounds what a line may say, so that no sum overflows.
const most = 1 << 52

// sheet is what a maildirsize file says.
type sheet struct {
	limit string // as definition writes it
	sum   Usage
	lines int // behind the first
	made  time.Time
}

// parse reads the file; ok is false when it makes no sense.
func parse(content []byte) (s sheet, ok bool) {
	if !bytes.HasSuffix(content, []byte("\n")) {
		return s, false
	}
	first, rest, _ := strings.Cut(string(content), "\n")
	q, ok := limits(strings.TrimSpace(first))
	if !ok {
		return s, false
	}
	s.limit = definition(q)
	for line := range strings.Lines(rest) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue // padding
		}
		if len(words) != 2 {
			return s, false
		}
		octets, err := strconv.ParseInt(words[0], 10, 64)
		n, cerr := strconv.ParseInt(words[1], 10, 64)
		if err != nil || cerr != nil || octets > most || octets < -most || n > most || n < -most {
			return s, false
		}
		s.sum.Bytes += octets
		s.sum.Messages += n
		s.lines++
	}
	return s, s.lines > 0 && s.sum.Bytes >= 0 && s.sum.Messages >= 0 && s.sum.Bytes <= most && s.sum.Messages <= most
}

// limits reads a first line such as 1000000S,1000C. Letters that are not known
// limit what nobody here counts.
func limits(line string) (q conf.Quota, ok bool) {
	for field := range strings.SplitSeq(line, ",") {
		if field == "" {
			continue
		}
		n, err := strconv.ParseInt(field[:len(field)-1], 10, 64)
		if err != nil || n < 0 {
			return q, false
		}
		switch field[len(field)-1] {
		case 'S':
			q.Storage = n
		case 'C':
			q.Messages = n
		}
	}
	return q, true
}

// definition writes limits as the first line has them.
func definition(q conf.Quota) string {
	var fields []string
	if q.Storage > 0 {
		fields = append(fields, strconv.FormatInt(q.Storage, 10)+"S")
	}
	if q.Messages > 0 {
		fields = append(fields, strconv.FormatInt(q.Messages, 10)+"C")
	}
	return strings.Join(fields, ",")
}
