package kills

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestKillsOnFullDisks is TestRandomKills where the disks of spool and mailboxes
// are full half of the time, and nearly so otherwise.
func TestKillsOnFullDisks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount small file systems")
	}
	letters, rounds, room := 300, 6, int64(24<<20)
	if prove() {
		letters, rounds, room = 5000, 60, 160<<20
	}
	p := newPlan(seed(t), rounds, rounds/3, 0)
	f := idleFleet(t, options(t))
	if err := os.RemoveAll(filepath.Join(f.i.Dir, "mail", instance.Domain)); err != nil {
		t.Fatal(err)
	}
	var disks []*ballast
	for name, size := range map[string]int64{"spool": 24 << 20, "mail": room} {
		d := suite.Mount(t, filepath.Join(f.i.Dir, name), "ext4", size, 1<<15)
		disks = append(disks, newBallast(t, d, rand.New(rand.NewPCG(p.r.Uint64(), 0))))
	}
	f.start(true, path...)
	b := besiege(f)
	ctx, cancel := context.WithCancel(t.Context())
	var filling sync.WaitGroup
	for _, d := range disks {
		filling.Go(func() { d.run(ctx, f) })
	}
	for n := 0; n < p.rounds || b.l.acknowledged() < letters; n++ {
		b.carryOut(p.round(n))
	}
	b.lift()
	cancel()
	filling.Wait()
	b.end()
	for _, d := range disks {
		t.Logf("%s was full %d times", d.file.Name(), d.times)
	}
}

// ballast is a file that leaves no room on a disk, or little.
type ballast struct {
	t      *testing.T
	file   *os.File
	random *rand.Rand
	times  int // that it was full
}

func newBallast(t *testing.T, d *suite.Disk, random *rand.Rand) *ballast {
	t.Helper()
	f, err := os.Create(filepath.Join(d.Folder, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &ballast{t: t, file: f, random: random}
}

// run fills the disk and gives a little back, until ctx is done; then it gives
// back all. That the disk is full stands among the kills: a verdict that could
// not be written makes duplicates as one that was lost does (W2).
func (b *ballast) run(ctx context.Context, f *fleet) {
	for ctx.Err() == nil {
		before := time.Now()
		suite.Fill(b.file)
		b.times++
		b.rest(ctx, 400)
		end, err := b.file.Seek(0, 2)
		if err == nil {
			end, err = b.file.Seek(max(0, end-int64(64+b.random.IntN(2000))<<10), 0)
		}
		if err == nil {
			err = b.file.Truncate(end)
		}
		if err != nil {
			b.t.Error(err)
			return
		}
		f.wasFull(before)
		b.rest(ctx, 800)
	}
	if err := os.Remove(b.file.Name()); err != nil {
		b.t.Error(err)
	}
	b.file.Close()
}

func (b *ballast) rest(ctx context.Context, most int) {
	select {
	case <-time.After(time.Duration(b.random.IntN(most)) * time.Millisecond):
	case <-ctx.Done():
	}
}
