package main

import (
	"bufio"
	"context"
	"io"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// start runs a sink and returns its address, its folder and what it says.
func start(t *testing.T, args ...string) (addr, dir string, out *bufio.Reader) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-dir", dir}, args...), w)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: got %v, want nil", err)
		}
	})
	out = bufio.NewReader(r)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "ready addr=")), dir, out
}

func TestStores(t *testing.T) {
	addr, dir, out := start(t)
	done := make(chan error, 1)
	go func() {
		done <- smtp.SendMail(addr, nil, "a@x.example", []string{"b@y.example", "c@y.example"}, []byte("Subject: x\n\n.dot\n..\n"))
	}()
	if line, err := out.ReadString('\n'); err != nil || line != "message file=0001.msg\n" {
		t.Errorf("got %q %v, want the name of the file", line, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	m, err := os.ReadFile(filepath.Join(dir, "0001.msg"))
	if want := "Subject: x\r\n\r\n.dot\r\n..\r\n"; err != nil || string(m) != want {
		t.Errorf("got %q %v, want %q", m, err, want)
	}
	env, err := os.ReadFile(filepath.Join(dir, "0001.env"))
	want := "helo=localhost\nfrom=a@x.example\nrcpt=b@y.example\nrcpt=c@y.example\nbody=BODY=8BITMIME\ntls=false\nauth=\n"
	if err != nil || string(env) != want {
		t.Errorf("got %q %v, want %q", env, err, want)
	}
}

func TestRefuses(t *testing.T) {
	tests := []struct {
		name, rcpt, want string
		args             []string
	}{
		{"greeting", "b@y.example", "450 busy", []string{"-greeting", "450 busy"}},
		{"MAIL", "b@y.example", "451 4.3.0 later", []string{"-mail", "451 4.3.0 later"}},
		{"RCPT by its name", "550x@y.example", "550 5.1.1 as you wish", nil},
		{"RCPT at first", "b@y.example", "450 4.2.1 not yet", []string{"-later", "1"}},
		{"DATA", "b@y.example", "452 full", []string{"-data", "452 full"}},
		{"the end", "b@y.example", "554 spam", []string{"-end", "554 spam"}},
		{"the end, dropped", "b@y.example", "EOF", []string{"-drop", "1"}},
		{"UTF-8, not offered", "ä@y.example", "553 5.6.7", nil},
		{"without login", "b@y.example", "530 5.7.0 log in first", []string{"-login", "u:p"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, _, _ := start(t, tt.args...)
			err := smtp.SendMail(addr, nil, "a@x.example", []string{tt.rcpt}, []byte("x\n"))
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
