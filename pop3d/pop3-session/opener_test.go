package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
)

// TestReload: idle-timeout is obeyed by the sessions that begin after a reload.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write := func(idle string) string {
		file := filepath.Join(dir, "posthorn.conf")
		text := fmt.Sprintf("hostname mx.example.org\ndomain example.org\nrun-dir %s/run\nmail-root %s/mail\nprocess-user vmail %d\nprocess-user pop3d %d\nprocess-user authd 4713\n"+
			"process-group sockets %d\nprocess-group tls %d\nidle-timeout %s\n", dir, dir, os.Geteuid(), os.Geteuid(), os.Getegid(), os.Getegid(), idle)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	c, err := conf.Load(write("30m"))
	if err != nil {
		t.Fatal(err)
	}
	server, o, err := build(&daemon.Daemon{Name: "pop3-session", Conf: c, Log: evlog.New(io.Discard), Disk: new(durable.Disk)})
	if err != nil {
		t.Fatal(err)
	}
	if got := idle(o.conf.Load()); got != 10*time.Minute {
		t.Errorf("at start: got %v, want 10m", got)
	}
	write("6m")
	fresh, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Reload(fresh); err != nil {
		t.Fatal(err)
	}
	if got := idle(o.conf.Load()); got != 2*time.Minute {
		t.Errorf("after a reload: got %v, want 2m", got)
	}
}
