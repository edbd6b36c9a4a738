package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// The mailbox that is worked in has so many messages, of about 8 KiB.
const corpusSize = 10000

// fillBox makes a folder with n messages, each with its two sizes in its name,
// as both servers write them.
func fillBox(dir string, n int) error {
	if err := makeMaildir(dir); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 1)) // the same for every server
	for i := range n {
		if err := fileLetter(dir, i, letter(random, i)); err != nil {
			return err
		}
	}
	return nil
}

// So many messages are in the mailbox of large ones, of 2 MiB.
const (
	largeCount = 20
	largeSize  = 2 << 20
)

// fillLarge makes a folder with messages that have one long text.
func fillLarge(dir string) error {
	if err := makeMaildir(dir); err != nil {
		return err
	}
	for i := range largeCount {
		text := bytes.ReplaceAll(message(fmt.Sprint("large.", i), largeSize), []byte("\r\n"), []byte("\n"))
		if err := fileLetter(dir, i, text); err != nil {
			return err
		}
	}
	return nil
}

// fileLetter puts message i into the folder, every second one as one that was
// read.
func fileLetter(dir string, i int, text []byte) error {
	file := letterFile(dir, i, text)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	return os.Chown(file, mailUID, mailUID)
}

// letterFile returns the path of message i of a folder.
func letterFile(dir string, i int, text []byte) string {
	name := fmt.Sprintf("%d.M%dP1.bench,S=%d,W=%d:2,%s", 1700000000+i, i, len(text), len(text)+bytes.Count(text, []byte("\n")), []string{"", "S"}[i%2])
	return filepath.Join(dir, "cur", name)
}

// letter returns message i: a text, with an HTML alternative in every third.
func letter(random *rand.Rand, i int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <writer%d@client.test>\nReceived: from client.test by mx.%s; Tue, 14 Nov 2023 22:%02d:%02d +0000\n", i%700, domain, i/60%60, i%60)
	fmt.Fprintf(&b, "From: Writer %d <writer%[1]d@client.test>\nTo: Bench <bench@%s>\nSubject: letter %d of the %s\nDate: Tue, 14 Nov 2023 22:%02d:%02d +0000\nMessage-ID: <%[3]d@client.test>\nReferences: <%[7]d@client.test>\nMIME-Version: 1.0\n",
		i%700, domain, i, words(random, 3), i/60%60, i%60, max(0, i-8))
	if i%3 > 0 {
		fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\n\n%s\n", prose(random))
		return b.Bytes()
	}
	fmt.Fprintf(&b, "Content-Type: multipart/alternative; boundary=part\n\n--part\nContent-Type: text/plain; charset=utf-8\n\n%s\n--part\nContent-Type: text/html; charset=utf-8\n\n<p>%s</p>\n--part--\n",
		prose(random), prose(random))
	return b.Bytes()
}

func prose(random *rand.Rand) string {
	var b bytes.Buffer
	for size := 2000 + random.IntN(9000); b.Len() < size; {
		b.WriteString(words(random, 11))
		b.WriteByte('\n')
	}
	return b.String()
}

func words(random *rand.Rand, n int) string {
	var b bytes.Buffer
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString([]string{"horn", "rider", "letter", "road", "gate", "lamp", "seal", "coach", "bell", "river", "stamp", "winter"}[random.IntN(12)])
	}
	return b.String()
}
