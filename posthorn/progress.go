package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"posthorn/internal/screen"
	"posthorn/posthorn/internal/moving"
)

// progress shows how an import goes: a bar on a terminal, else a line for each
// folder. It implements moving.Report.
type progress struct {
	out, err io.Writer
	bar      bool
	name     string
	left     int // messages of the folder to be brought
	done     int
	octets   int64
	began    time.Time
	drawn    time.Time
}

func newProgress(e *env) *progress {
	f, ok := e.stderr.(*os.File)
	return &progress{out: e.stdout, err: e.stderr, bar: ok && terminal(f)}
}

// Folder implements moving.Report.
func (p *progress) Folder(from, to string, total, left int) {
	p.wipe()
	fmt.Fprintf(p.out, "%s -> %s: %d messages, %d to bring\n", screen.Line(from), screen.Line(to), total, left)
	p.name, p.left, p.done, p.octets, p.began = screen.Line(to), left, 0, 0, time.Now()
}

// Filed implements moving.Report.
func (p *progress) Filed(messages int, octets int64) {
	p.done += messages
	p.octets += octets
	if p.bar && (time.Since(p.drawn) > 100*time.Millisecond || p.done == p.left) {
		p.draw()
	}
}

// Problem implements moving.Report.
func (p *progress) Problem(text string) {
	p.wipe()
	fmt.Fprintln(p.err, "posthorn:", screen.Line(text))
}

const barWidth = 30

func (p *progress) draw() {
	p.drawn = time.Now()
	full := barWidth
	if p.left > 0 {
		full = min(barWidth, barWidth*p.done/p.left)
	}
	rate := float64(p.octets) / max(time.Since(p.began).Seconds(), 0.001) / (1 << 20)
	fmt.Fprintf(p.err, "\r\x1b[K[%s%s] %d/%d %.1f MiB/s %.40s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.left, rate, p.name)
}

// wipe takes the bar away.
func (p *progress) wipe() {
	if p.bar && !p.drawn.IsZero() {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.drawn = time.Time{}
	}
}

// end says what became of it.
func (p *progress) end(c moving.Counts, dry bool) {
	p.wipe()
	verb := "brought"
	if dry {
		verb = "would bring"
	}
	fmt.Fprintf(p.out, "%d folders: %s %d messages (%.1f MiB), %d were here, %d failed; %d folders keep their UIDs\n",
		c.Folders, verb, c.Filed, float64(c.Octets)/(1<<20), c.Already, c.Failed, c.Kept)
}
