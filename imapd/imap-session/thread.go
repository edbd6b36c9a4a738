package main

import (
	"posthorn/imapd/internal/order"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// thread answers THREAD and UID THREAD (RFC 5256 section 3).
func (s *Session) thread(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	q, err := query.ParseThread(c.Args)
	if err != nil {
		return "", err
	}
	f, err := s.newFinder(c, q.Search)
	if err == nil {
		err = f.whole()
	}
	if err != nil {
		return "", err
	}
	threads := order.NewThreads(q.Algorithm)
	if err := f.order(threads); err != nil {
		return "", err
	}
	s.w.Raw("* THREAD")
	if all := threads.Threads(); len(all) > 0 {
		s.w.Raw(" ")
		order.Write(s.w, all, s.numbersOf(isUID(c)))
	}
	s.w.Raw("\r\n")
	return completed(c, f.gone), nil
}
