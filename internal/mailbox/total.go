package mailbox

import "errors"

// Size returns the sum of the sizes of a folder's messages with CRLF line ends; it
// reads those whose size nobody knows yet. Nothing loses its \Recent. Errors:
// ErrNoFolder, ErrBadName.
func (b *Box) Size(name string) (total int64, err error) {
	if st, err := b.Status(name); err != nil || st.Size >= 0 {
		return st.Size, err
	}
	err = b.each(name, func(v *View, seq int, m Message) error {
		if m.Size < 0 {
			m, err = v.Measure(seq)
			if errors.Is(err, ErrExpunged) {
				return nil
			}
		}
		total += m.Size
		return err
	})
	return total, err
}

// Deleted returns the size of those of a folder's messages that are \Deleted; else
// it is Size.
func (b *Box) Deleted(name string) (total int64, err error) {
	err = b.each(name, func(v *View, seq int, m Message) (err error) {
		if m.Flags.System&Deleted == 0 {
			return nil
		}
		if m.Size < 0 {
			m, err = v.Measure(seq)
		}
		if errors.Is(err, ErrExpunged) {
			return nil
		}
		total += m.Size
		return err
	})
	return total, err
}

// each looks at all messages of a folder.
func (b *Box) each(name string, look func(v *View, seq int, m Message) error) error {
	v, err := b.Select(name, true)
	if err != nil {
		return err
	}
	defer v.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		if m := v.At(seq); !m.Gone {
			if err := look(v, seq, m); err != nil {
				return err
			}
		}
	}
	return nil
}
