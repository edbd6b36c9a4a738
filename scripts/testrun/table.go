package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// row is what one test counted.
type row struct {
	how     string // pass or fail
	seconds float64
	test    string
	said    string // the last that it said
}

// count keeps the row of a test that has ended.
func (r *report) count(e event) {
	if e.Test == "" {
		return
	}
	last := ""
	for _, line := range r.said[key{e.Package, e.Test}] {
		if place.MatchString(line) {
			last = strings.TrimSpace(place.ReplaceAllString(line, ""))
		}
	}
	if last != "" || e.Action == "fail" {
		r.rows = append(r.rows, row{e.Action, e.Elapsed, strings.TrimPrefix(e.Package, "posthorn/") + " " + e.Test, last})
	}
}

// table prints the rows.
func (r *report) table() {
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintf(w, "%s\t%.0f s\t%s\t%s\n", row.how, row.seconds, row.test, row.said)
	}
	w.Flush()
}
