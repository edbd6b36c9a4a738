// Command demo is make run: it starts a whole server on loopback as the user
// who calls it, shows a message going through and another leaving for a
// foreign domain, and stays until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"posthorn/test/instance"
)

const (
	ann = "ann@" + instance.Domain
	bob = "bob@" + instance.Domain
	eve = "eve@" + instance.Foreign
)

// ports are those that a person can remember; a taken one is replaced by a
// free one.
var ports = map[string]int{"smtp": 2525, "submission": 2587, "submissions": 2465,
	"pop3": 2110, "pop3s": 2995, "imap": 2143, "imaps": 2993}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bin := flag.String("bin", "bin", "`folder` of the programs")
	dir := flag.String("dir", "run", "`folder` to make the instance in, emptied first")
	once := flag.Bool("once", false, "end after the demonstration")
	flag.Parse()
	i, log, err := start(ctx, *bin, *dir)
	if err != nil {
		return err
	}
	defer log.Close()
	defer i.Stop()
	if err := demonstrate(ctx, i); err != nil {
		return fmt.Errorf("%w\nthe last lines of %s:\n%s", err, log.Name(), i.LogTail())
	}
	if err := explain(i); err != nil {
		return err
	}
	fmt.Println("ready")
	if !*once {
		<-ctx.Done()
	}
	return i.Stop()
}

// start makes the instance anew in dir.
func start(ctx context.Context, bin, dir string) (*instance.Instance, *os.File, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	if os.Geteuid() == 0 {
		dir = reachable(dir)
		fmt.Println("As root each daemon gets a uid of its own, from 61001 on. An ordinary user can do this too, with one uid for all.")
	}
	if err := empty(dir); err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	fmt.Printf("Starting a server in %s …\n", dir)
	i, err := instance.Start(ctx, instance.Options{Dir: dir, Bin: bin, Ports: ports, Users: []string{ann, bob}, Log: log})
	if err != nil {
		log.Close()
		return nil, nil, err
	}
	return i, log, nil
}

// reachable returns dir, or a folder in /var/tmp when the daemons' uids cannot
// enter one above dir.
func reachable(dir string) string {
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if fi, err := os.Stat(d); err == nil && fi.Mode().Perm()&0o001 == 0 {
			fmt.Printf("Only root may enter %s: the instance goes elsewhere.\n", d)
			return "/var/tmp/posthorn-demo"
		}
		if d == "/" {
			return dir
		}
	}
}

// marker is in every folder that this program made, so that it empties no
// other.
const marker = ".posthorn-demo"

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
			return fmt.Errorf("%s: found files of others, expected an empty folder or that of an earlier demonstration", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, marker), nil, 0o644)
}

// demonstrate sends a message to a local box and one to a foreign domain and
// waits until each has arrived.
func demonstrate(ctx context.Context, i *instance.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Printf("\n%s sends through submission (STARTTLS, login) to %s and %s …\n", ann, bob, eve)
	if err := submit(i.Addr["submission"], []string{bob, eve}); err != nil {
		return fmt.Errorf("submission: %w", err)
	}
	for _, show := range []struct {
		where string
		fetch func(context.Context, *instance.Instance) (string, error)
	}{
		{"over IMAP with TLS, " + bob + " reads", fetchIMAP},
		{"over POP3 with TLS, " + bob + " reads", fetchPOP3},
		{"the host of " + instance.Foreign + " (found by its MX record) took", fetchSink},
	} {
		text, err := poll(ctx, func() (string, error) { return show.fetch(ctx, i) })
		if err != nil {
			return fmt.Errorf("%s: %w", show.where, err)
		}
		fmt.Printf("\n%s:\n%s", show.where, indent(text))
	}
	return nil
}

// poll repeats fetch until it finds something.
func poll(ctx context.Context, fetch func() (string, error)) (string, error) {
	for {
		text, err := fetch()
		if err != nil || text != "" {
			return text, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", errors.New("the message did not arrive")
		}
	}
}
