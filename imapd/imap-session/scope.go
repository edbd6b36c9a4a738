package main

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/scope"
)

// canonical gives the names in filters the form that names of mailboxes have here.
func (s *Session) canonical(filters []scope.Filter) {
	for _, f := range filters {
		for i, name := range f.Names {
			if p, err := s.realm.Locate(name); err == nil {
				f.Names[i] = p.Name
			}
		}
	}
}

// meant returns the names of the mailboxes that filters mean besides the selected
// one, each once: of all that exist and this user may see. The names in filters are
// canonical.
func (s *Session) meant(filters []scope.Filter) ([]string, error) {
	names, err := s.realm.Box.Folders()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(filters, reachesOthers) {
		others, err := s.realm.Visible()
		if err != nil { // his own are there all the same
			s.log.IMAPFailed(s.conn.SID, s.conn.User, "LIST", err)
		}
		names = append(names, others...)
	}
	var subscribed []string
	if slices.ContainsFunc(filters, func(f scope.Filter) bool { return f.Kind == scope.Subscribed }) {
		if subscribed, err = s.realm.Box.Subscriptions(); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(filters, func(f scope.Filter) bool { return means(f, name, subscribed) })
	}), nil
}

// reachesOthers reports whether a filter can mean mailboxes of others.
func reachesOthers(f scope.Filter) bool {
	return f.Kind == scope.Subscribed || slices.ContainsFunc(f.Names, func(name string) bool {
		name += "/"
		return strings.HasPrefix(name, realm.SharedPrefix) || strings.HasPrefix(name, realm.PublicPrefix)
	})
}

// means reports whether a filter means a mailbox; subscribed is sorted.
func means(f scope.Filter, name string, subscribed []string) bool {
	switch f.Kind {
	case scope.Personal, scope.Inboxes: // mail is filed into any of one's own: RFC 5465 section 6.3
		return realm.Levels(name) == "."
	case scope.Subscribed:
		_, ok := slices.BinarySearch(subscribed, name)
		return ok
	}
	return f.Means(name, realm.Levels(name))
}
