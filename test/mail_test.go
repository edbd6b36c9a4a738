package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"regexp"
	"strings"
	"time"

	"posthorn/test/instance"
)

// send returns nil when the message was acknowledged.
func send(addr, to, id string) error {
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := smtp.NewClient(nc, "client.test")
	if err != nil {
		return err
	}
	if err := c.Mail("load@" + instance.Foreign); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Message-ID: %s\r\nSubject: load\r\n\r\n%s\r\n", id, strings.Repeat("0123456789\r\n", 300))
	return w.Close() // nil after the 250; QUIT does not matter
}

var messageID = regexp.MustCompile(`(?mi)^Message-ID: (<kill-\d+@test>)\r?$`)

// count returns how often each id stands in the files.
func count(lists ...[]string) map[string]int {
	n := map[string]int{}
	for _, files := range lists {
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				continue // renamed meanwhile; the next look finds it
			}
			head := make([]byte, 4096)
			k, _ := io.ReadFull(f, head)
			f.Close()
			if m := messageID.FindSubmatch(bytes.TrimSpace(head[:k])); m != nil {
				n[string(m[1])]++
			}
		}
	}
	return n
}
