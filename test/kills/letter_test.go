package kills

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// Who gets mail. Ann sends it all, and so gets what is returned.
const (
	bob    = suite.Bob
	carl   = "carl@" + instance.Domain
	dora   = "dora@" + instance.Domain // her reader takes each message out of the folder
	team   = "team@" + instance.Domain // bob, carl and dora
	nobody = "550-nobody@" + instance.Foreign
)

// Places other than boxes.
const (
	abroad   = "abroad"
	returned = "returned"
)

// letter is a message to send, known by its number wherever it arrives.
type letter struct {
	number int
	to     []string // recipients of the envelope
	places []string // boxes, abroad and returned, where it must arrive

	// What became of its attempts; for each that was not acknowledged and whose
	// final dot was under way, a copy may stay (W1).
	acknowledged []string // ids, of which there is one at most
	unsure       int
}

// kinds are the recipients of letters, as often as they stand here.
var kinds = []struct {
	times  int
	to     []string
	places []string
}{
	{4, []string{bob}, []string{bob}},
	{2, []string{dora}, []string{dora}},
	{2, []string{carl}, []string{carl}},
	{1, []string{bob, dora}, []string{bob, dora}},
	{2, []string{team}, []string{bob, carl, dora}},
	{2, []string{suite.Eve}, []string{abroad}},
	{1, []string{nobody}, []string{returned}},
	{1, []string{carl, team, suite.Eve, nobody}, []string{bob, carl, dora, abroad, returned}},
}

// newLetter chooses the recipients by its number alone.
func newLetter(number int) *letter {
	var all []int
	for k, kind := range kinds {
		for range kind.times {
			all = append(all, k)
		}
	}
	return newLetterOf(number, all[number%len(all)])
}

// newLetterOf is a letter to the recipients of a kind.
func newLetterOf(number, k int) *letter {
	kind := kinds[k]
	return &letter{number: number, to: kind.to, places: kind.places}
}

// text is the same for a number every time: mostly small, with lines that begin
// with dots.
func (l *letter) text() string {
	r := rand.New(rand.NewPCG(uint64(l.number), 1))
	lines := 1 + r.IntN(30)
	if r.IntN(50) == 0 {
		lines = 2000
	}
	var b strings.Builder
	fmt.Fprintf(&b, "X-Letter: %d\r\nSubject: letter %d\r\n\r\n", l.number, l.number)
	for range lines {
		switch n := r.IntN(60); n {
		case 0:
			b.WriteString(".\r\n")
		case 1:
			b.WriteString("..dots\r\n")
		default:
			fmt.Fprintf(&b, "%0*x\r\n", 1+n, r.Uint64())
		}
	}
	return b.String()
}
