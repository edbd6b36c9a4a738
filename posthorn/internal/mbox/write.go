package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"posthorn/internal/mailbox"
)

// Writer writes an mbox file in the quoting RD.
type Writer struct{ w *bufio.Writer }

// NewWriter returns a Writer to w. Flush it behind the last message.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, 64<<10)} }

// Flush writes what is held back.
func (w *Writer) Flush() error { return w.w.Flush() }

// Add writes a message with its internal date and flags. Line ends become LF.
func (w *Writer) Add(date time.Time, f mailbox.Flags, message io.Reader) error {
	fmt.Fprintf(w.w, "From MAILER-DAEMON %s\n", date.UTC().Format(time.ANSIC)) // bufio keeps errors for Flush
	state, letters := "O", ""
	if f.System&mailbox.Seen != 0 {
		state = "RO"
	}
	for _, one := range statuses() {
		if f.System&one.flag != 0 {
			letters += one.letter
		}
	}
	fmt.Fprintf(w.w, "Status: %s\n", state)
	if letters != "" {
		fmt.Fprintf(w.w, "X-Status: %s\n", letters)
	}
	if len(f.Keywords) > 0 {
		fmt.Fprintf(w.w, "X-Keywords: %s\n", strings.Join(f.Keywords, " "))
	}
	return w.body(bufio.NewReaderSize(message, 64<<10))
}

// body writes a message line by line.
func (w *Writer) body(in *bufio.Reader) error {
	header, start, drop, last := true, true, false, byte('\n')
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if start && len(line) > 0 {
			bare := bytes.TrimRight(line, "\r\n")
			if header && line[0] != ' ' && line[0] != '\t' {
				drop = kept(line)
			}
			if len(bare) == 0 {
				header, drop = false, false
			}
			if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) && !drop {
				w.w.WriteByte('>')
			}
		}
		if bytes.HasSuffix(line, []byte("\r\n")) {
			line = append(line[:len(line)-2], '\n')
		}
		if start = err == nil; !drop && len(line) > 0 {
			w.w.Write(line)
			last = line[len(line)-1]
		}
		if err == io.EOF {
			break
		}
	}
	if last != '\n' {
		w.w.WriteByte('\n')
	}
	_, err := w.w.WriteString("\n")
	return err
}
