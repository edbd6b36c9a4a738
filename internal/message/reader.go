package message

import (
	"errors"
	"io"
)

// readSize is how much a reader takes from its source at a time.
const readSize = 16 << 10

// stage is what a reader runs its source through.
type stage interface {
	Append(dst, src []byte) ([]byte, error)
	Finish(dst []byte) ([]byte, error)
}

// reader reads what a stage makes of r.
type reader struct {
	r       io.Reader
	stage   stage
	in, out []byte
	next    int // first byte of out not handed on
	err     error
}

// NewLinesReader returns a reader of r checked, or put right, by l.
func NewLinesReader(r io.Reader, l *Lines) io.Reader { return newReader(r, l) }

// NewLFReader returns a reader of r with LF for CRLF.
func NewLFReader(r io.Reader) io.Reader { return newReader(r, &ToLF{}) }

// NewCRLFReader returns a reader of r with CRLF for LF.
func NewCRLFReader(r io.Reader) io.Reader { return newReader(r, &ToCRLF{}) }

func newReader(r io.Reader, s stage) *reader {
	return &reader{r: r, stage: s, in: make([]byte, readSize)}
}

// Read hands out what the stage made; what came before an error comes first.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.next == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out[r.next:])
	r.next += n
	return n, nil
}

// fill takes the next bytes of the source through the stage.
func (r *reader) fill() {
	n, err := r.r.Read(r.in)
	var stageErr error
	r.out, stageErr = r.stage.Append(r.out[:0], r.in[:n])
	if stageErr == nil && errors.Is(err, io.EOF) {
		r.out, stageErr = r.stage.Finish(r.out)
	}
	r.next, r.err = 0, err
	if stageErr != nil {
		r.err = stageErr
	}
}
