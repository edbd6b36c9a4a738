package mailbox

import "posthorn/internal/picture"

// Listed is a message in the list of a POP3 session.
type Listed struct {
	Seq  int
	UID  uint32
	Size int64 // as Message has it: -1 until asked by View.Measure
}

// List returns the messages of the view in order, but those that are gone. It
// costs less than to ask At for each.
func (v *View) List() ([]Listed, error) {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.need(); err != nil {
		return nil, err
	}
	list := make([]Listed, 0, v.n)
	for i := range v.n {
		var r *picture.Record
		if v.uids == nil { // the view is as the folder is
			r = &f.Records[i]
		} else if r = f.Find(v.uids[i]); r == nil {
			continue
		}
		list = append(list, Listed{i + 1, r.UID, r.Octets()})
	}
	return list, nil
}
