package tables

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"posthorn/internal/addr"
)

// Target is one of the addresses that an alias stands for.
type Target struct {
	// Value is an address, or "@domain" for the same user there, which only a
	// catch-all has.
	Value string
	// Direct is set for \name: its mailbox, whatever alias has that name too.
	Direct bool
	Place  Place
}

// Alias is one entry of the aliases table.
type Alias struct {
	Key     string // name, user@domain or @domain, in lower case
	Targets []Target
	Place   Place
}

// Aliases is a parsed aliases table.
type Aliases struct {
	byKey map[string]*Alias
	order []string
}

// LoadAliases reads the aliases table path. A target without a domain is at
// domain.
func LoadAliases(path, domain string) (*Aliases, error) {
	content, _, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading aliases: %w", err)
	}
	return ParseAliases(path, content, domain)
}

// ParseAliases is LoadAliases for a content already read; file is for errors
// and places.
func ParseAliases(file string, content []byte, domain string) (*Aliases, error) {
	f := &faults{file: file}
	a := &Aliases{byKey: map[string]*Alias{}}
	var current *Alias // nil while the lines of a bad entry are skipped
	started := false
	for n, line := range f.lines(content) {
		place := Place{file, n}
		rest := line
		if line[0] != ' ' && line[0] != '\t' {
			a.finish(f, current)
			started = true
			var err error
			if current, rest, err = parseKey(line, place); err != nil {
				f.add(n, "%w", err)
			}
		} else if !started {
			f.add(n, "found a continued line, expected `name: target` before it")
			started = true
		}
		if current == nil {
			continue
		}
		if err := current.addTargets(rest, domain, place); err != nil {
			f.add(n, "%w", err)
			current = nil
		}
	}
	a.finish(f, current)
	if err := f.err(); err != nil {
		return nil, err
	}
	return a, nil
}

// finish puts a complete entry into the table.
func (a *Aliases) finish(f *faults, alias *Alias) {
	switch {
	case alias == nil:
		return
	case len(alias.Targets) == 0:
		f.add(alias.Place.Line, "found no target for %s, expected an address behind the colon", alias.Key)
		return
	case len(a.order) == MaxEntries:
		f.add(alias.Place.Line, "found more than %d aliases", MaxEntries)
		return
	}
	if old, ok := a.byKey[alias.Key]; ok {
		f.add(alias.Place.Line, "found the alias %s again, which stands in line %d already", alias.Key, old.Place.Line)
		return
	}
	a.byKey[alias.Key] = alias
	a.order = append(a.order, alias.Key)
}

// Lookup finds an alias by its key in lower case.
func (a *Aliases) Lookup(key string) (*Alias, bool) {
	alias, ok := a.byKey[key]
	return alias, ok
}

// Len returns how many aliases there are.
func (a *Aliases) Len() int { return len(a.order) }

// All yields the aliases in the order of the file.
func (a *Aliases) All() iter.Seq[*Alias] {
	return func(yield func(*Alias) bool) {
		for _, key := range a.order {
			if !yield(a.byKey[key]) {
				return
			}
		}
	}
}

// parseKey reads what stands before the colon and returns what stands behind.
func parseKey(line string, place Place) (*Alias, string, error) {
	left, rest, ok := cutUnquoted(line, ':')
	if !ok {
		return nil, "", errors.New("found no colon, expected `name: target, …`")
	}
	key, err := canonicalKey(strings.TrimSpace(left))
	if err != nil {
		return nil, "", err
	}
	return &Alias{Key: key, Place: place}, rest, nil
}

// canonicalKey reads name, "a name", user@domain or @domain.
func canonicalKey(s string) (string, error) {
	if domain, ok := strings.CutPrefix(s, "@"); ok {
		d, err := addr.ParseDomain(domain)
		if err != nil {
			return "", fmt.Errorf("found the alias %.100q, expected @domain: %w", s, err)
		}
		return "@" + d, nil
	}
	a, err := parseName(s)
	if err != nil {
		return "", fmt.Errorf("found the alias %.100q, expected name, user@domain or @domain: %w", s, err)
	}
	return a.Key(), nil
}

// parseName reads an address, or a name, which comes back without a domain.
func parseName(s string) (addr.Address, error) {
	a, err := addr.Parse(s)
	if errors.Is(err, addr.ErrNoAt) {
		a, err = addr.Parse(s + "@name.invalid")
		a.Domain = ""
	}
	return a, err
}

// cutUnquoted cuts s at the first sep that stands outside quotes.
func cutUnquoted(s string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// addTargets reads the comma-separated targets of one line.
func (a *Alias) addTargets(line, domain string, place Place) error {
	for more := true; more; {
		var token string
		token, line, more = cutUnquoted(line, ',')
		if token = strings.TrimSpace(token); token == "" {
			continue // sendmail lets a list end with a comma
		}
		t, err := parseTarget(token, domain, strings.HasPrefix(a.Key, "@"))
		if err != nil {
			return err
		}
		if len(a.Targets) == MaxTargets {
			return fmt.Errorf("found more than %d targets for %s", MaxTargets, a.Key)
		}
		t.Place = place
		a.Targets = append(a.Targets, t)
	}
	return nil
}

// parseTarget reads one target; anyone allows @domain.
func parseTarget(token, domain string, anyone bool) (Target, error) {
	bare := strings.TrimPrefix(token, `"`)
	switch {
	case strings.HasPrefix(bare, "|"):
		return Target{}, fmt.Errorf("found the command %.100q, expected an address: commands are not supported", token)
	case strings.HasPrefix(bare, "/"):
		return Target{}, fmt.Errorf("found the file %.100q, expected an address: files are not supported", token)
	case strings.HasPrefix(strings.ToLower(bare), ":include:"):
		return Target{}, fmt.Errorf("found %.100q, expected an address: :include: is not supported", token)
	case strings.HasPrefix(token, "#"):
		return Target{}, fmt.Errorf("found %.100q, expected an address: a comment has a line of its own", token)
	case anyone && strings.HasPrefix(token, "@"):
		d, err := addr.ParseDomain(token[1:])
		if err != nil {
			return Target{}, fmt.Errorf("found %.100q, expected @domain: %w", token, err)
		}
		return Target{Value: "@" + d}, nil
	}
	name, direct := strings.CutPrefix(token, `\`)
	a, err := parseName(name)
	if err != nil {
		return Target{}, fmt.Errorf("found the target %.100q, expected a name or an address: %w", token, err)
	}
	if a.Domain == "" {
		a.Domain = domain
	}
	// The case of the local part is the other host's to judge (RFC 5321 2.4).
	return Target{Value: a.String(), Direct: direct}, nil
}
