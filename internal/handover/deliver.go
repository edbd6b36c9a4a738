package handover

import (
	"fmt"
	"strconv"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// DeliverProto is the protocol of deliver.sock.
const DeliverProto = "posthorn-deliver/1"

// MaxBoxes is the most boxes of one request; its answer fits one list then.
const MaxBoxes = 500

// BoxRcpt is a box and the address for which it gets the message.
type BoxRcpt struct{ Box, Rcpt string }

// DeliverRequest asks to put one message into boxes.
type DeliverRequest struct {
	ID           string
	Try          int       // 2 and more: a box may hold the message already
	Time         time.Time // of arrival
	From         addr.Address
	Offset, Size int64
	Boxes        []BoxRcpt
}

// DeliverResult is what became of one box.
type DeliverResult struct {
	Box     string
	Verdict verdict.Verdict
	File    string // name in the box, for the log; "" unless done
}

// Encode returns the request as it goes over the socket.
func (r DeliverRequest) Encode() attr.List {
	l := make(attr.List, 0, 8+2*len(r.Boxes))
	l.Add("proto", DeliverProto)
	l.Add("request", "deliver")
	addCommon(&l, r.ID, r.Try, r.From)
	l.AddInt("time", r.Time.UnixMicro())
	l.AddInt("offset", r.Offset)
	l.AddInt("size", r.Size)
	for _, b := range r.Boxes {
		l.Add("box", b.Box)
		l.Add("rcpt", b.Rcpt)
	}
	return l
}

// DecodeDeliver reads what Encode wrote.
func DecodeDeliver(l attr.List) (DeliverRequest, error) {
	if got := l.Get("request"); got != "deliver" {
		return DeliverRequest{}, fmt.Errorf("found request %.40q, expected deliver", got)
	}
	var r DeliverRequest
	var err error
	if r.ID, r.Try, r.From, err = readCommon(l); err != nil {
		return DeliverRequest{}, err
	}
	micros, err := l.Int("time")
	if err != nil {
		return DeliverRequest{}, err
	}
	r.Time = time.UnixMicro(micros)
	if r.Offset, r.Size, err = readPlace(l); err != nil {
		return DeliverRequest{}, err
	}
	for _, g := range sock.Groups(l, "box") {
		r.Boxes = append(r.Boxes, BoxRcpt{Box: g.Get("box"), Rcpt: g.Get("rcpt")})
	}
	if len(r.Boxes) == 0 || len(r.Boxes) > MaxBoxes {
		return DeliverRequest{}, fmt.Errorf("found %d boxes, expected 1 to %d", len(r.Boxes), MaxBoxes)
	}
	return r, nil
}

// EncodeDeliverResults returns the answer to a request that was understood.
func EncodeDeliverResults(results []DeliverResult) attr.List {
	l := sock.Reply(verdict.Of(nil))
	for _, r := range results {
		l.Add("box", r.Box)
		l = append(l, sock.Reply(r.Verdict)...)
		if r.File != "" {
			l.Add("file", r.File)
		}
	}
	return l
}

// DecodeDeliverResults reads an answer. One that refuses the request as a
// whole is returned as a *verdict.Error.
func DecodeDeliverResults(l attr.List) ([]DeliverResult, error) {
	if err := refusal(l); err != nil {
		return nil, err
	}
	groups := sock.Groups(l, "box")
	results := make([]DeliverResult, 0, len(groups))
	for _, g := range groups {
		v, err := sock.Verdict(g)
		if err != nil {
			return nil, fmt.Errorf("box %.100q: %w", g.Get("box"), err)
		}
		results = append(results, DeliverResult{Box: g.Get("box"), Verdict: v, File: g.Get("file")})
	}
	return results, nil
}

// refusal returns the answer's own verdict as an error, nil when it is done.
func refusal(l attr.List) error {
	v, err := sock.Verdict(l)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return v.Err()
}

func addCommon(l *attr.List, msg string, try int, from addr.Address) {
	l.Add("id", msg)
	l.AddInt("try", int64(try))
	l.Add("from", from.String())
}

func readCommon(l attr.List) (msg string, try int, from addr.Address, err error) {
	msg = l.Get("id")
	if !id.Valid(msg) {
		return "", 0, from, fmt.Errorf("%.40q: %w", msg, id.ErrForm)
	}
	n, err := strconv.ParseUint(l.Get("try"), 10, 31)
	if err != nil || n == 0 {
		return "", 0, from, fmt.Errorf("try: found %.40q, expected a number above 0", l.Get("try"))
	}
	if from, err = addr.ParseOrNull(l.Get("from")); err != nil {
		return "", 0, from, fmt.Errorf("from: %w", err)
	}
	return msg, int(n), from, nil
}

func readPlace(l attr.List) (offset, size int64, err error) {
	if offset, err = l.Int("offset"); err != nil {
		return 0, 0, err
	}
	if size, err = l.Int("size"); err != nil {
		return 0, 0, err
	}
	if offset < 0 || size < 0 {
		return 0, 0, fmt.Errorf("found offset %d and size %d, expected none below 0", offset, size)
	}
	return offset, size, nil
}
