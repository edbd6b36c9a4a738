package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/sock"
)

// control returns the client of a daemon's control socket.
func control(c *conf.Config, process string) *sock.Client {
	return &sock.Client{Path: c.ControlSocket(process), Proto: daemon.ControlProto, Timeout: time.Minute}
}

// ask sends one request to a control socket and returns its answer, or the
// refusal as an error.
func ask(c *conf.Config, process string, req attr.List) (attr.List, error) {
	client := control(c, process)
	defer client.Close()
	l, err := client.Do(context.Background(), req, nil)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", process, err)
	}
	v, err := sock.Verdict(l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", process, err)
	}
	if err := v.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", process, err)
	}
	return l, nil
}

// reload has every daemon take the configuration, which was loaded and so
// checked before; each that refuses or does not answer is named.
func reload(e *env, args []string) error {
	if len(args) > 0 {
		return usage("reload takes no words")
	}
	var failed []error
	for _, name := range daemons(e.conf) {
		if _, err := ask(e.conf, name, attr.List{{Name: "request", Value: "reload"}}); err != nil {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	fmt.Fprintln(e.stdout, "reloaded")
	return nil
}
