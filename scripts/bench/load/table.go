package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// The lines of a README that the tables stand between.
const (
	beginFigures = "<!-- figures: scripts/bench/peers -w -->"
	endFigures   = "<!-- end of figures -->"
)

// Columns of the tables.
const (
	ours    = "posthorn"
	postfix = "postfix"
	dovecot = "dovecot"
)

func printTable(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("table", flag.ContinueOnError)
	readme := fs.String("write", "", "write the tables into this `file` instead")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errUsage
	}
	f, err := os.Open(fs.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := readResults(f)
	if err != nil {
		return fmt.Errorf("%s: %w", fs.Arg(0), err)
	}
	if *readme == "" {
		_, err = io.WriteString(out, tables(all))
		return err
	}
	return rewrite(*readme, tables(all))
}

// rewrite puts text between the two lines of file.
func rewrite(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(beginFigures+"\n"))
	_, after, end := bytes.Cut(rest, []byte(endFigures+"\n"))
	if !ok || !end {
		return errors.New(file + ": found no place for the tables, expected a line " + beginFigures + " and one " + endFigures)
	}
	return os.WriteFile(file, fmt.Appendf(nil, "%s%s\n%s%s\n%s", before, beginFigures, text, endFigures, after), 0o644)
}

// line is one line of a table: what the reader is told of a value.
type line struct{ row, what, text string }

// tables returns all of them as Markdown.
func tables(r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Median of %s; lost, doubled and retried are sums.\n", strings.Join(r.facts, ", "), plural(r.rounds(), "round"))
	mailTable(&b, r)
	pairTable(&b, r, postfix, "SMTP: memory and queue", memoryLines())
	boxTable(&b, r)
	pairTable(&b, r, dovecot, "IMAP: memory", boxMemoryLines())
	return b.String()
}

// mailTable has a line for each row that sends mail.
func mailTable(b *strings.Builder, r *results) {
	if !r.any(postfix, mailLines()) {
		return
	}
	b.WriteString("\n| Mail in: Posthorn / Postfix | CPU-s per 1,000 | share | messages/s | p50 ms | p99 ms | peak MiB | lost | doubled | retried |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, l := range mailLines() {
		if !r.has(postfix, l.row) {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s |", l.text, r.pair(postfix, l.row, "cpu", r.median), r.share(postfix, l.row, "cpu"))
		for _, what := range []string{"rate", "p50", "p99", "peak"} {
			fmt.Fprintf(b, " %s |", r.pair(postfix, l.row, what, r.median))
		}
		for _, what := range []string{"lost", "doubled", "retried"} {
			fmt.Fprintf(b, " %s |", r.pair(postfix, l.row, what, r.sum))
		}
		b.WriteByte('\n')
	}
}

// pairTable has a line for each value.
func pairTable(b *strings.Builder, r *results, peer, title string, lines []line) {
	if !r.any(peer, lines) {
		return
	}
	fmt.Fprintf(b, "\n| %s | Posthorn / %s | share |\n|---|---|---|\n", title, strings.ToUpper(peer[:1])+peer[1:])
	for _, l := range lines {
		if r.has(peer, l.row) {
			fmt.Fprintf(b, "| %s | %s | %s |\n", l.text, r.pair(peer, l.row, l.what, r.median), r.share(peer, l.row, l.what))
		}
	}
}

// boxTable has a line for each row that works in mailboxes.
func boxTable(b *strings.Builder, r *results) {
	if !r.any(dovecot, boxLines()) {
		return
	}
	b.WriteString("\n| IMAP: Posthorn / Dovecot | CPU-ms each | share | a second |\n|---|---|---|---|\n")
	for _, l := range boxLines() {
		if r.has(dovecot, l.row) {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", l.text, r.pair(dovecot, l.row, "cpu", r.median), r.share(dovecot, l.row, "cpu"), r.pair(dovecot, l.row, "rate", r.median))
		}
	}
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// any reports whether a table has a line.
func (r *results) any(peer string, lines []line) bool {
	return slices.ContainsFunc(lines, func(l line) bool { return r.has(peer, l.row) })
}

// has reports whether ours or the peer was measured.
func (r *results) has(peer, row string) bool {
	for key := range r.values {
		if strings.HasPrefix(key, ours+" "+row+" ") || strings.HasPrefix(key, peer+" "+row+" ") {
			return true
		}
	}
	return false
}

// pair returns both values, "-" for one that was not measured.
func (r *results) pair(peer, row, what string, of func(peer, row, what string) (float64, bool)) string {
	var both []string
	for _, p := range []string{ours, peer} {
		text := "-"
		if v, ok := of(p, row, what); ok {
			text = number(v)
		}
		both = append(both, text)
	}
	return strings.Join(both, " / ")
}

// share returns ours divided by the peer's.
func (r *results) share(peer, row, what string) string {
	a, _ := r.median(ours, row, what)
	b, ok := r.median(peer, row, what)
	if !ok || b == 0 || !r.has(ours, row) {
		return "-"
	}
	return number(a / b)
}
