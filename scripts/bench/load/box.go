package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// boxes are the Maildirs of user0 to user<n-1>.
type boxes struct {
	root string
	n    int
}

func (b boxes) path(user, part string) string { return filepath.Join(b.root, user, part) }

func user(i int) string { return fmt.Sprintf("user%d", i) }

// make makes the Maildirs.
func (b boxes) make() error {
	for i := range b.n {
		if err := makeMaildir(filepath.Join(b.root, user(i))); err != nil {
			return err
		}
	}
	return os.Chown(b.root, mailUID, mailUID)
}

func makeMaildir(dir string) error {
	for _, part := range []string{"", "tmp", "new", "cur"} {
		path := filepath.Join(dir, part)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		if err := os.Chown(path, mailUID, mailUID); err != nil {
			return err
		}
	}
	return nil
}

// count returns the number of messages that arrived.
func (b boxes) count() (int, error) {
	sum := 0
	for i := range b.n {
		d, err := os.Open(b.path(user(i), "new"))
		if err != nil {
			return 0, err
		}
		names, err := d.Readdirnames(-1)
		d.Close()
		if err != nil {
			return 0, err
		}
		sum += len(names)
	}
	return sum, nil
}

// tokens returns how often each message is in each box, by "user token".
func (b boxes) tokens() (map[string]int, error) {
	got := map[string]int{}
	for i := range b.n {
		files, err := filepath.Glob(filepath.Join(b.root, user(i), "new", "*"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			t, err := fileToken(file)
			if err != nil {
				return nil, err
			}
			got[user(i)+" "+t]++
		}
	}
	return got, nil
}

// fileToken reads the token of a message; it stands in the first 4 KiB.
func fileToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buf := make([]byte, 4<<10)
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	return token(buf[:n]), nil
}
