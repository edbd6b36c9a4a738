package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"posthorn/imapd/internal/wire"
)

// errChanged is returned by wait when the folder of an IDLE has changed.
var errChanged = errors.New("folder has changed")

// idle begins an IDLE (RFC 2177); the session rests in it until DONE.
func (s *Session) idle(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.idling = c.Tag
	s.w.Raw("+ idling\r\n")
	return "", nil
}

// endIdle takes the line that ends an IDLE.
func (s *Session) endIdle() error {
	line, err := s.in.ReadLine()
	if err != nil {
		return err
	}
	tag := s.idling
	s.idling = ""
	if !strings.EqualFold(line, "DONE") {
		s.w.Raw(tag, " BAD expected DONE\r\n")
		return s.nonsense()
	}
	if err := s.announce(true); err != nil {
		return err
	}
	s.w.Raw(tag, " OK IDLE completed\r\n")
	return nil
}

// wait blocks until the client sends or has been silent for too long. During
// an IDLE it also returns errChanged when somebody changed the folder. Silence
// is counted from the client's last word, whatever was announced meanwhile.
func (s *Session) wait() error {
	if err := s.link.SetReadDeadline(s.heard.Add(s.limits.idle)); err != nil {
		return err
	}
	if s.idling == "" || s.view == nil {
		return s.in.Wait()
	}
	changed := s.watch()
	err := s.in.Wait()
	if changed() && errors.Is(err, os.ErrDeadlineExceeded) {
		return errChanged
	}
	return err
}

// watch lets a change of the folder end the read under way. The function it
// returns ends the watch and reports whether a change came.
func (s *Session) watch() (end func() bool) {
	stop, done := make(chan struct{}), make(chan bool, 1)
	changes, link := s.view.Changed(), s.link
	go func() {
		select {
		case <-changes:
			done <- link.SetReadDeadline(time.Unix(1, 0)) == nil
		case <-stop:
			done <- false
		}
	}()
	return func() bool {
		close(stop)
		return <-done
	}
}
