package main

import (
	"strconv"

	"posthorn/imapd/internal/wire"
)

// resync is what the parameters of a SELECT ask for (RFC 7162 sections 3.1.8 and
// 3.2.5).
type resync struct {
	modSeqs  bool
	quick    bool
	validity uint32
	since    uint64
	known    wire.Set // UIDs; nil: all
}

// maxParams bounds the parameters of one SELECT.
const maxParams = 8

// selectParams takes what may stand behind the name in SELECT and EXAMINE.
func (s *Session) selectParams(args *wire.Scanner) (r resync, err error) {
	if args.End() == nil {
		return r, nil
	}
	if err := args.Space(); err != nil {
		return r, err
	}
	err = args.List(maxParams, func() error {
		switch args.Word() {
		case "CONDSTORE":
			r.modSeqs = true
			return nil
		case "QRESYNC":
			if !s.resync {
				return &wire.SyntaxError{Text: "QRESYNC is not enabled"} // RFC 7162 section 3.2.5
			}
			return r.take(args)
		}
		return &wire.SyntaxError{Text: "unknown parameter"}
	})
	if err != nil {
		return r, err
	}
	return r, args.End()
}

// take takes what a client knows of the mailbox. The message numbers by which some
// servers would find out what it missed are of no use here.
func (r *resync) take(args *wire.Scanner) (err error) {
	if err = args.Space(); err == nil {
		err = args.Expect('(')
	}
	if err == nil {
		r.validity, err = args.Number()
	}
	if err == nil {
		err = args.Space()
	}
	if err == nil {
		r.since, err = args.Number64()
	}
	if err == nil && args.Accept(' ') && args.Peek() != '(' {
		if r.known, err = args.Set(); err == nil {
			r.known = r.known.Resolve(0)
			if args.Accept(' ') {
				err = matchData(args)
			}
		}
	} else if err == nil && args.Peek() == '(' {
		err = matchData(args)
	}
	if err != nil {
		return err
	}
	r.quick = true
	return args.Expect(')')
}

// matchData takes the message numbers and UIDs of RFC 7162 section 3.2.5.2.
func matchData(args *wire.Scanner) error {
	err := args.Expect('(')
	if err == nil {
		_, err = args.Set()
	}
	if err == nil {
		err = args.Space()
	}
	if err == nil {
		_, err = args.Set()
	}
	if err == nil {
		err = args.Expect(')')
	}
	return err
}

// resynchronize tells the client what it missed. Of another UIDVALIDITY it knows
// nothing.
func (s *Session) resynchronize(r resync) error {
	if !r.quick || r.validity != s.view.UIDValidity() || r.since >= s.view.HighestModSeq() {
		return nil
	}
	if err := s.writeVanished(r.since, r.known); err != nil {
		return err
	}
	for _, seq := range s.view.Changed(r.since, 1, s.view.Len()) {
		if r.known == nil || r.known.Has(s.view.UID(seq)) {
			s.writeFlagsOf(seq, true)
		}
	}
	return nil
}

// writeVanished tells which of the known UIDs, nil for all, went after a modseq (RFC
// 7162 section 3.2.10.1).
func (s *Session) writeVanished(since uint64, known wire.Set) error {
	uids, ok, err := s.view.Vanished(since)
	if err != nil {
		return err
	}
	var gone []byte
	if ok {
		kept := uids[:0]
		for _, uid := range uids {
			if known == nil || known.Has(uid) {
				kept = append(kept, uid)
			}
		}
		gone = wire.AppendSet(nil, kept)
	} else {
		gone = s.absent(known)
	}
	if len(gone) > 0 {
		s.w.Raw("* VANISHED (EARLIER) ")
		s.w.Bytes(gone)
		s.w.Raw("\r\n")
	}
	return nil
}

// absent returns the known UIDs, nil for all, of which there is no message.
func (s *Session) absent(known wire.Set) []byte {
	if known == nil {
		known = wire.Set{{Lo: 1, Hi: s.view.UIDNext() - 1}}
	}
	var out wire.Set
	for _, r := range known {
		r.Hi = min(r.Hi, s.view.UIDNext()-1)
		for seq := s.view.After(r.Lo); seq <= s.view.Len() && r.Lo <= r.Hi; seq++ {
			uid := s.view.At(seq).UID
			if uid > r.Hi {
				break
			}
			if r.Lo < uid {
				out = append(out, wire.Range{Lo: r.Lo, Hi: uid - 1})
			}
			r.Lo = uid + 1
		}
		if r.Lo <= r.Hi {
			out = append(out, r)
		}
	}
	return out.Append(nil)
}

// removed is the answer of a command that removes messages; with QRESYNC the client
// is told where the mailbox stands after it (RFC 7162 section 3.2.7).
func (s *Session) removed(command string, err error) (string, error) {
	s.shrinks = s.resync
	return command + " completed", err
}

// whereItStands puts that in front of the OK, when the removals were told.
func (s *Session) whereItStands(done string) string {
	if !s.shrinks || s.view == nil || done == "" {
		return done
	}
	return "[HIGHESTMODSEQ " + strconv.FormatUint(s.view.HighestModSeq(), 10) + "] " + done
}
