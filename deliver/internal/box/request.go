package box

import (
	"errors"
	"fmt"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/handover"
	"posthorn/internal/maildir"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Encode returns the request to deliver-box: the one of deliver.sock with root=,
// mail= and, if it has limits, quota= for each box.
func (j Job) Encode() attr.List {
	r := handover.DeliverRequest{ID: j.ID, Try: j.Try, Time: j.Time, From: j.From, Offset: j.Offset, Size: j.Size}
	l := r.Encode()
	for _, b := range j.Boxes {
		l.Add("box", b.Name)
		l.Add("rcpt", b.Rcpt)
		l.Add("root", b.Place.Root)
		l.Add("mail", b.Place.Path)
		if q := b.Quota.String(); q != "" {
			l.Add("quota", q)
		}
	}
	return l
}

// Decode reads what Encode wrote.
func Decode(l attr.List) (Job, error) {
	r, err := handover.DecodeDeliver(l)
	if err != nil {
		return Job{}, err
	}
	j := Job{ID: r.ID, Try: r.Try, Time: r.Time, From: r.From, Offset: r.Offset, Size: r.Size}
	for _, g := range sock.Groups(l, "box") {
		p := maildir.Place{Root: g.Get("root"), Path: g.Get("mail")}
		if p.Root == "" || !Within(p.Root, p.Path) {
			return Job{}, fmt.Errorf("found mail %.200q in root %.200q, expected a folder in another", p.Path, p.Root)
		}
		q, err := conf.Quota{}.With(g.Get("quota"))
		if err != nil {
			return Job{}, err
		}
		j.Boxes = append(j.Boxes, Box{Name: g.Get("box"), Rcpt: g.Get("rcpt"), Place: p, Quota: q})
	}
	return j, nil
}

// EncodeResults returns deliver-box's answer. The cause of a failure goes along
// for deliver's log, which is the only one that tells of it.
func EncodeResults(boxes []Box, results []Result) attr.List {
	l := sock.Reply(verdict.Of(nil))
	for i, r := range results {
		l.Add("box", boxes[i].Name)
		l = append(l, sock.Reply(verdict.Of(r.Err))...)
		if r.Err != nil {
			l.Add("err", oneLine(Cause(r.Err)))
			continue
		}
		l.Add("file", r.File)
	}
	return l
}

// Cause returns what only the log may tell of a failure; "" for nil.
func Cause(err error) string {
	var v *verdict.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &v) && v.Err == nil:
		return "" // the verdict's text says all
	case v != nil:
		return v.Err.Error()
	}
	return err.Error()
}

// oneLine makes a text fit for an attribute.
func oneLine(s string) string {
	b := []byte(s[:min(len(s), 1000)])
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// DecodeResults reads an answer for boxes. Who is not in it is later.
func DecodeResults(boxes []Box, l attr.List) []Result {
	results := make([]Result, len(boxes))
	groups := sock.Groups(l, "box")
	for i, b := range boxes {
		switch {
		case i >= len(groups) || groups[i].Get("box") != b.Name:
			results[i].Err = errors.Join(errors.New("deliver-box gave no result"), refusal(l))
		default:
			results[i] = decodeResult(groups[i])
		}
	}
	return results
}

func decodeResult(g attr.List) Result {
	v, err := sock.Verdict(g)
	switch {
	case err != nil:
		return Result{Err: fmt.Errorf("deliver-box: %w", err)}
	case v.Kind == verdict.Done:
		return Result{File: g.Get("file")}
	}
	return Result{Err: verdict.Fail(v.Kind, v.Status, v.Text, errors.New(g.Get("err")))}
}

// refusal is the answer's own verdict as an error without one, for a whole
// request that was no good is no verdict on any box.
func refusal(l attr.List) error {
	v, err := sock.Verdict(l)
	if err == nil && v.Kind != verdict.Done {
		err = errors.New(v.Status + " " + v.Text)
	}
	return err
}
