package daemon

import (
	"context"
	"os"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// ControlProto is the protocol of the control sockets.
const ControlProto = "posthorn-control/1"

// ControlFunc answers one request of a control socket; the answer begins as
// sock.Reply does.
type ControlFunc func(ctx context.Context, req attr.List) attr.List

// Control registers a request of the daemon's control socket, besides status,
// rights and reload. Call it from open.
func (d *Daemon) Control(request string, f ControlFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.requests == nil {
		d.requests = map[string]ControlFunc{}
	}
	d.requests[request] = f
}

// openControl makes the control socket, for root and the daemon's own uid.
func (d *Daemon) openControl() (err error) {
	d.control, err = d.makeSocket(d.Conf.ControlSocket(d.Name), 0o600, -1)
	return err
}

// serveControl answers until ctx is done.
func (d *Daemon) serveControl(ctx context.Context, reload func() error) {
	d.Control("status", func(context.Context, attr.List) attr.List {
		answer := sock.Reply(verdict.Of(nil))
		answer.Add("version", Version)
		answer.AddInt("pid", int64(os.Getpid()))
		return answer
	})
	d.Control("rights", func(context.Context, attr.List) attr.List { return d.rights() })
	d.Control("reload", func(context.Context, attr.List) attr.List {
		if err := reload(); err != nil {
			return sock.Reply(verdict.New(verdict.Never, "5.3.5", err.Error()))
		}
		return sock.Reply(verdict.Of(nil))
	})
	s := &sock.Server{Name: "control", Proto: ControlProto, Allow: []int{0, os.Geteuid()}, Log: d.Log, Handle: d.answer}
	if err := s.Serve(ctx, d.control); err != nil {
		d.Log.PeerFailed("control", err)
	}
}

// rights says what confine applied.
func (d *Daemon) rights() attr.List {
	answer := sock.Reply(verdict.Of(nil))
	r := d.rules()
	for name, paths := range map[string][]string{"read": r.Read, "write": r.Write, "execute": r.Execute} {
		for _, path := range paths {
			answer.Add(name, path)
		}
	}
	for _, port := range r.Connect {
		answer.AddInt("connect", int64(port))
	}
	if r.AnyTCP {
		answer.Add("connect", "any")
	}
	return answer
}

func (d *Daemon) answer(ctx context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	if f != nil {
		f.Close()
	}
	d.mu.Lock()
	answer, ok := d.requests[req.Get("request")]
	d.mu.Unlock()
	if !ok {
		return sock.Reply(verdict.New(verdict.Never, "5.5.1", "unknown request")), nil
	}
	return answer(ctx, req), nil
}
