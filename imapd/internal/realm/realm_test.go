package realm

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
	"posthorn/internal/verdict"
)

// village is a folder with the mail of users of one uid.
type village struct {
	t      *testing.T
	root   string
	shares *Shares
}

func newVillage(t *testing.T) *village {
	v := &village{t: t, root: t.TempDir()}
	store := mailbox.New(mailbox.Options{Disk: &durable.Disk{}, Node: "test"})
	t.Cleanup(func() { store.Close() })
	v.shares = &Shares{Store: store, UID: 7, Root: v.root, Boxes: v.boxes}
	return v
}

func (v *village) boxes(_ context.Context, names []string) (boxes []directory.Box, err error) {
	for _, name := range names {
		boxes = append(boxes, directory.Box{Name: name, UID: 7, Mail: v.mail(name), Verdict: verdict.New(verdict.Done, "2.0.0", "ok")})
	}
	return boxes, nil
}

func (v *village) mail(user string) string { return filepath.Join(v.root, user) }

func (v *village) realm(user string, groups ...string) *Realm {
	box, err := v.shares.Store.Open(v.mail(user))
	if err != nil {
		v.t.Fatal(err)
	}
	r := &Realm{User: user, Groups: groups, Box: box, Shares: v.shares, Public: "pub@x.test"}
	v.t.Cleanup(func() { r.Close(); box.Close() })
	return r
}

// give lets an identifier do something in a folder.
func (v *village) give(owner *Realm, folder, identifier string, rights acl.Rights) {
	v.t.Helper()
	p, err := owner.Find(folder, acl.Admin)
	if err != nil {
		v.t.Fatal(err)
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		v.t.Fatal(err)
	}
	defer state.Close()
	err = state.Update(func(c *statefile.Changes) error {
		c.Set(statefile.Rights, identifier, rights.Letters())
		return nil
	})
	if err := errors.Join(err, owner.Note(p)); err != nil {
		v.t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	v := newVillage(t)
	ann := v.realm("ann@x.test")
	for _, folder := range []string{"Plans", "Plans.Old", "Secret"} {
		if err := ann.Box.Create(folder); err != nil {
			t.Fatal(err)
		}
	}
	v.give(ann, "Plans", "bob@x.test", acl.Lookup|acl.Read)
	v.give(ann, "Plans.Old", acl.GroupPrefix+"staff", acl.Lookup)
	pub := v.realm("pub@x.test")
	v.give(pub, "INBOX", acl.Anyone, acl.Lookup|acl.Read)
	bob, eve := v.realm("bob@x.test", "staff"), v.realm("eve@x.test")
	tests := []struct {
		who  *Realm
		name string
		need acl.Rights
		own  bool
		want error
	}{
		{bob, "INBOX", acl.All, true, nil},
		{bob, "Shared/ann@x.test/Plans", acl.Read, false, nil},
		{bob, "Shared/ANN@x.test/Plans", acl.Read, false, nil},
		{bob, "Shared/ann@x.test/Plans", acl.Write, false, ErrNoRight},
		{bob, "Shared/ann@x.test/Plans/Old", acl.Lookup, false, nil},
		{bob, "Shared/ann@x.test/Plans.Old", acl.Lookup, false, mailbox.ErrNoFolder},
		{bob, "Shared/ann@x.test/Secret", acl.Read, false, mailbox.ErrNoFolder},
		{bob, "Shared/ann@x.test", acl.Read, false, mailbox.ErrNoFolder},
		{bob, "Shared/bob@x.test/INBOX", acl.Read, false, mailbox.ErrNoFolder},
		{bob, "Shared/pub@x.test/INBOX", acl.Read, false, mailbox.ErrNoFolder},
		{bob, "Public/INBOX", acl.Read, false, nil},
		{bob, "Elsewhere/INBOX", acl.Read, false, mailbox.ErrBadName},
		{eve, "Shared/ann@x.test/Plans", acl.Lookup, false, mailbox.ErrNoFolder},
		{eve, "Shared/eve2@x.test/INBOX", acl.Lookup, false, mailbox.ErrNoFolder},
	}
	for _, tt := range tests {
		p, err := tt.who.Find(tt.name, tt.need)
		if !errors.Is(err, tt.want) || err == nil && p.Own != tt.own {
			t.Errorf("%s at %s: got own=%v, %v, want own=%v, %v", tt.who.User, tt.name, p.Own, err, tt.own, tt.want)
		}
	}
}

func TestVisible(t *testing.T) {
	v := newVillage(t)
	ann, bob := v.realm("ann@x.test"), v.realm("bob@x.test")
	if got, err := bob.Visible(); got != nil || err != nil {
		t.Errorf("before: got %q, %v, want none", got, err)
	}
	v.give(ann, "INBOX", "bob@x.test", acl.Lookup)
	if got, err := bob.Visible(); len(got) != 1 || got[0] != "Shared/ann@x.test/INBOX" || err != nil {
		t.Errorf("got %q, %v, want Shared/ann@x.test/INBOX", got, err)
	}
	n := 0
	for range bob.Foreign() {
		n++
	}
	if n != 1 {
		t.Errorf("got %d boxes of others open, want 1", n)
	}
	v.give(ann, "INBOX", "bob@x.test", 0)
	if got, err := bob.Visible(); got != nil || err != nil {
		t.Errorf("taken back: got %q, %v, want none", got, err)
	}
}

// TestOneBox: sessions share the boxes of others, and close them when nobody is left.
func TestOneBox(t *testing.T) {
	v := newVillage(t)
	ann := v.realm("ann@x.test")
	v.give(ann, "INBOX", acl.Anyone, acl.Lookup|acl.Read)
	bob, eve := v.realm("bob@x.test"), v.realm("eve@x.test")
	var boxes []*mailbox.Box
	for _, r := range []*Realm{bob, eve, bob} {
		p, err := r.Find("Shared/ann@x.test/INBOX", acl.Read)
		if err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, p.Box)
	}
	if boxes[0] != boxes[1] || boxes[1] != boxes[2] {
		t.Errorf("got %p, want one box", boxes)
	}
	bob.Close()
	if _, err := boxes[1].Folders(); err != nil {
		t.Errorf("while somebody has it: got %v", err)
	}
	eve.Close()
	if len(v.shares.open) > 0 {
		t.Errorf("got %d boxes open, want none", len(v.shares.open))
	}
	if p, err := bob.Find("Shared/ann@x.test/INBOX", acl.Read); err != nil || p.Box == boxes[0] {
		t.Errorf("again: got %v, %v, want another box", p.Box, err)
	}
}

// TestChangedAccount: a session that comes while another has a box learns what became
// of the account meanwhile.
func TestChangedAccount(t *testing.T) {
	v := newVillage(t)
	ann := v.realm("ann@x.test")
	v.give(ann, "INBOX", acl.Anyone, acl.Lookup|acl.Read)
	const name = "Shared/ann@x.test/INBOX"
	for i, tt := range []struct {
		user  string
		quota conf.Quota
		uid   int
		want  error
	}{
		{"bob@x.test", conf.Quota{}, 7, nil},
		{"eve@x.test", conf.Quota{Messages: 5}, 7, nil},
		{"kim@x.test", conf.Quota{}, 8, mailbox.ErrNoFolder},
	} {
		v.shares.Boxes = func(_ context.Context, names []string) ([]directory.Box, error) {
			boxes, err := v.boxes(t.Context(), names)
			boxes[0].UID, boxes[0].Quota = tt.uid, tt.quota
			return boxes, err
		}
		p, err := v.realm(tt.user).Find(name, acl.Read)
		if !errors.Is(err, tt.want) {
			t.Fatalf("%d: got %v, want %v", i, err, tt.want)
		}
		if err != nil {
			continue
		}
		if usage, err := p.Box.Usage(); err != nil || usage.Limit != tt.quota {
			t.Errorf("%d: got %+v, %v, want %+v", i, usage.Limit, err, tt.quota)
		}
	}
}
