package login

import (
	"crypto/tls"
	"fmt"
	"path/filepath"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/tlsconf"
)

// open reads the certificates and binds the listeners.
func (s *Server) open(d *daemon.Daemon) error {
	plain, implicit := s.proto.Service(), s.proto.Service()+"s"
	if err := s.openKeys(d.Conf); err != nil {
		return daemon.BadConfig(err)
	}
	d.Rights.Read = append(d.Rights.Read, folders(d.Conf.TLS)...)
	for _, l := range d.Listeners(plain, implicit) {
		if l.Service == implicit && s.config == nil {
			s.closeAll()
			return daemon.BadConfig(fmt.Errorf("listen %s %s: found no certificate, expected a tls directive", l.Service, l.Addr))
		}
		nl, err := d.Listen(l.Service, l.Addr)
		if err != nil {
			s.closeAll()
			return err
		}
		s.entries = append(s.entries, entry{Listener: nl, service: l.Service, implicit: l.Service == implicit})
	}
	return nil
}

// closeAll closes the listeners.
func (s *Server) closeAll() {
	for _, e := range s.entries {
		e.Close()
	}
}

// openKeys reads the certificates of c, if it names any.
func (s *Server) openKeys(c *conf.Config) error {
	if len(c.TLS) == 0 {
		return nil
	}
	keys, err := tlsconf.Open(c.TLS, s.log.KeysRefused)
	if err != nil {
		return err
	}
	s.keys = keys
	s.config = keys.Config()
	// A client that means another protocol is sent away (RFC 7301 3.2): what
	// it believes to send to a web server is no mail command.
	s.config.NextProtos = []string{s.proto.Service()}
	if c.TLSClients == "" {
		return nil
	}
	return tlsconf.Clients(s.config, c.TLSClients)
}

// folders returns where files are, and where the files that they link to are: a
// certificate is renewed by a new file of its name.
func folders(files []string) []string {
	var all []string
	for _, f := range files {
		all = append(all, filepath.Dir(f))
		if target, err := filepath.EvalSymlinks(f); err == nil && target != f {
			all = append(all, filepath.Dir(target))
		}
	}
	return all
}

// Reload takes limits, times and certificates from c. New addresses need a
// restart, and so does the first certificate of all. Sessions go on.
func (s *Server) Reload(c *conf.Config) error {
	if s.keys != nil && len(c.TLS) > 0 {
		if err := s.keys.Reload(c.TLS); err != nil {
			return err
		}
	}
	s.apply(c)
	return nil
}

// tls returns the configuration of encrypted connections, or nil without
// certificates. All share one, for its session tickets.
func (s *Server) tls() *tls.Config { return s.config }
