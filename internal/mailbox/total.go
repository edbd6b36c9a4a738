package mailbox

import "errors"

// Size returns the sum of the sizes of a folder's messages with CRLF line ends; it
// reads those whose size nobody knows yet. Nothing loses its \Recent. Errors:
// ErrNoFolder, ErrBadName.
func (b *Box) Size(name string) (int64, error) {
	if st, err := b.Status(name); err != nil || st.Size >= 0 {
		return st.Size, err
	}
	v, err := b.Select(name, true)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	total := int64(0)
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		if m.Size < 0 && !m.Gone {
			m, err = v.Measure(seq)
		}
		switch {
		case errors.Is(err, ErrExpunged), m.Gone:
			err = nil
		case err != nil:
			return 0, err
		default:
			total += m.Size
		}
	}
	return total, nil
}
