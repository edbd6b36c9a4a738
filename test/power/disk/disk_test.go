package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// id returns the name that records have for a file.
func id(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// TestStates plays short records on a disk with the folders d and e and the file
// d/old of "oldoldold", and compares what may be left, but for what is random.
func TestStates(t *testing.T) {
	create := `{"Step":"1","Do":"create","Path":"/d/a","Dir":"D"}` + "\n" + `{"Step":"1","File":"A","Mode":384}` + "\n"
	write := create + `{"Step":"2","Do":"write","File":"A","Data":"bWFpbA=="}` + "\n" + `{"Step":"2"}` + "\n" // mail
	sync := `{"Step":"3","Do":"sync","File":"A"}` + "\n"
	folder := `{"Step":"4","Do":"syncdir","File":"D"}` + "\n"
	end := func(step string) string { return `{"Step":"` + step + `"}` + "\n" }
	const none, old = "", "d/old=oldoldold"
	rename := `{"Step":"1","Do":"rename","Path":"/d/old","To":"/e/new","Dir":"D","ToDir":"E","File":"O"}` + "\n" + end("1")
	again := `{"Step":"2","Do":"rename","Path":"/e/new","To":"/e/newer","Dir":"E","ToDir":"E","File":"O"}` + "\n" + end("2")
	for _, test := range []struct {
		name, record string
		want         []string
	}{
		{"whole: a rename", rename, []string{old, "e/new=oldoldold"}},
		{"whole: two renames", rename + again, []string{old, "e/new=oldoldold", "e/newer=oldoldold"}},
		{"whole: two renames, the first folder synced between", rename + folder + end("4") + again, []string{"e/new=oldoldold", "e/newer=oldoldold"}},
		{"whole: two renames, the first folder synced", rename + again + folder + end("4"), []string{"e/new=oldoldold", "e/newer=oldoldold"}},
		{"whole: there and back", rename + `{"Step":"2","Do":"rename","Path":"/e/new","To":"/d/old","Dir":"E","ToDir":"D","File":"O"}` + "\n" + end("2"),
			[]string{old, "e/new=oldoldold"}},
		{"whole: a rename and a removal", rename + `{"Step":"2","Do":"unlink","Path":"/e/new","Dir":"E","File":"O"}` + "\n" + end("2"),
			[]string{none, old, "e/new=oldoldold"}},
		{"nothing", "", []string{old}},
		{"a name that is not synced", create, []string{"d/a= " + old, old}},
		{"a name that is", create + folder + end("4"), []string{"d/a= " + old}},
		{"a sync that has not ended", create + folder, []string{"d/a= " + old, old}},
		{"a sync that failed", create + folder + `{"Step":"4","Error":"EIO"}` + "\n", []string{"d/a= " + old, old}},
		{"a name without bytes", write + folder + end("4"),
			[]string{"d/a= " + old, "d/a=0000 " + old, "d/a=00il " + old, "d/a=ma " + old, "d/a=mail " + old}},
		{"bytes without a name", write + sync + end("3"), []string{"d/a=mail " + old, old}},
		{"bytes and a name", write + sync + end("3") + folder + end("4"), []string{"d/a=mail " + old}},
		{"a write behind the beginning of the sync", create + sync + `{"Step":"2","Do":"write","File":"A","Data":"bQ=="}` + "\n" + end("2") + end("3") + folder + end("4"),
			[]string{"d/a= " + old, "d/a=0 " + old, "d/a=m " + old}},
		{"a rename to another folder", `{"Step":"1","Do":"rename","Path":"/d/old","To":"/e/new","Dir":"D","ToDir":"E","File":"O"}` + "\n" + end("1"),
			[]string{none, old, old + " e/new=oldoldold", "e/new=oldoldold"}},
		{"a rename onto a name", create + folder + end("4") + `{"Step":"5","Do":"rename","Path":"/d/a","To":"/d/old","Dir":"D","ToDir":"D","File":"A"}` + "\n" + end("5"),
			[]string{"d/a= d/old=", "d/a= " + old, "d/old=", old}},
		{"a removal", `{"Step":"1","Do":"unlink","Path":"/d/old","Dir":"D","File":"O"}` + "\n" + end("1"), []string{none, old}},
		{"a second name", `{"Step":"1","Do":"link","Path":"/d/old","To":"/e/two","Dir":"D","ToDir":"E","File":"O"}` + "\n" + end("1"),
			[]string{old, old + " e/two=oldoldold"}},
		{"a folder that takes its names along", `{"Step":"1","Do":"mkdir","Path":"/d/n","Dir":"D"}` + "\n" + `{"Step":"1","File":"N","Mode":448}` + "\n" +
			`{"Step":"2","Do":"link","Path":"/d/old","To":"/d/n/x","Dir":"D","ToDir":"N","File":"O"}` + "\n" + end("2") + `{"Step":"3","Do":"syncdir","File":"N"}` + "\n" + end("3"),
			[]string{"d/n/x=oldoldold " + old, old}},
		{"a truncation", `{"Step":"1","Do":"truncate","File":"O","At":3}` + "\n" + end("1"), []string{"d/old=old", old}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			os.Mkdir(filepath.Join(dir, "d"), 0o700)
			os.Mkdir(filepath.Join(dir, "e"), 0o700)
			os.WriteFile(filepath.Join(dir, "d/old"), []byte("oldoldold"), 0o600)
			names := strings.NewReplacer(`"D"`, `"`+id(t, dir+"/d")+`"`, `"E"`, `"`+id(t, dir+"/e")+`"`, `"O"`, `"`+id(t, dir+"/d/old")+`"`)
			d, err := Load(dir, func(string) bool { return false })
			if err != nil {
				t.Fatal(err)
			}
			d.Whole = strings.HasPrefix(test.name, "whole:")
			events, err := Read(strings.NewReader(names.Replace(test.record)))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				d.Apply(e)
			}
			got := left(t, d)
			slices.Sort(test.want)
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("got %q, want among them %q", got, want)
				}
			}
			for _, have := range got {
				if !slices.Contains(test.want, have) && !strings.Contains(have, "0") {
					t.Errorf("got %q, want it not among them", have)
				}
			}
		})
	}
}

// left returns the files of every state, as they are on a disk.
func left(t *testing.T, d *Disk) []string {
	t.Helper()
	var all []string
	for _, tree := range d.States(20, rand.New(rand.NewPCG(1, 1))) {
		dir := t.TempDir()
		if err := tree.Write(dir); err != nil {
			t.Fatal(err)
		}
		var files []string
		filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel+"="+string(bytes.ReplaceAll(b, []byte{0}, []byte("0"))))
			return err
		})
		all = append(all, strings.Join(files, " "))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestBadRecords(t *testing.T) {
	for _, bad := range []string{"x", `{"Step":"1"}`} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: got nil, want an error", bad)
		}
	}
	if Idle([]byte(`{"Step":"1","Do":"sync"}`)) {
		t.Error("got idle, want a step that has not ended")
	}
}
