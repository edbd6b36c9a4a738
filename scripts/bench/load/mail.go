package main

import (
	"bytes"
	"fmt"
	"time"
)

// mark begins the field that tells messages apart.
const mark = "X-Bench: "

// message returns a message of about size bytes that token tells from others.
func message(token string, size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 128)
	fmt.Fprintf(&b, "From: <sender@client.test>\r\nTo: <user@%s>\r\nSubject: %s\r\nMessage-ID: <%[2]s@client.test>\r\n%s%[2]s\r\nDate: %s\r\n\r\n",
		domain, token, mark, time.Now().Format(time.RFC1123Z))
	for b.Len() < size {
		b.WriteString("The post rider sounds his horn, and whoever waits for a letter comes to the door.\r\n")
	}
	return b.Bytes()
}

// token returns what message was given, "" where the beginning of text holds none.
func token(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\n"+mark))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(bytes.TrimSpace(line))
}

// judge compares what arrived, and how often, with what was accepted: how many
// are missing, how many came too often or were never sent.
func judge(want, got map[string]int) (lost, doubled int) {
	for key, n := range want {
		lost += max(0, n-got[key])
	}
	for key, n := range got {
		doubled += max(0, n-want[key])
	}
	return lost, doubled
}
