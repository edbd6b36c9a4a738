package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
)

// serve relays an SMTP dialogue between the caller and smtpd (-bs).
func (p *program) serve() error {
	var conn *net.UnixConn
	err := p.persist(func() (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: p.conf.Socket("submit"), Net: "unix"})
		return err
	})
	if err != nil {
		fmt.Fprint(p.stdout, "421 4.3.2 localhost the mail system does not answer, try again later\r\n")
		return fmt.Errorf("the mail system does not answer: %w", err)
	}
	defer conn.Close()
	go func() {
		relayLines(conn, p.in)
		conn.CloseWrite()
	}()
	if _, err := io.Copy(p.stdout, conn); err != nil {
		return fmt.Errorf("relaying: %w", err)
	}
	return nil
}

// relayLines copies what the caller says. One whose first line ends in LF alone
// writes all lines so.
func relayLines(w io.Writer, r io.Reader) error {
	in := bufio.NewReader(r)
	first, err := in.ReadSlice('\n')
	if err != nil || bytes.HasSuffix(first, []byte("\r\n")) {
		if _, err := w.Write(first); err != nil {
			return err
		}
		_, err := io.Copy(w, in)
		return err
	}
	line := first
	for {
		if bytes.HasSuffix(line, []byte("\n")) {
			line = append(bytes.TrimSuffix(bytes.Clone(line[:len(line)-1]), []byte("\r")), '\r', '\n')
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if line, err = in.ReadSlice('\n'); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			w.Write(line) // what is left; the dialogue is over
			return nil
		}
	}
}
