package tables

import (
	"fmt"
	"strings"
	"testing"
)

const aliasesTable = `# who reads what
postmaster: ann
Info@Example.NET: ann, Bob@Remote.Example,
	"carl smith"@remote.example,
# in between

  dora
"odd name": \ann
ann: \ann, archive@remote.example
@old.example.org: @example.org
@example.net: ann
staff: a,b , c
`

func TestParseAliases(t *testing.T) {
	a, err := ParseAliases("aliases", []byte(aliasesTable), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"postmaster":       "ann@example.org:2",
		"info@example.net": `ann@example.org:3 Bob@remote.example:3 "carl smith"@remote.example:4 dora@example.org:7`,
		`"odd name"`:       `\ann@example.org:8`,
		"ann":              `\ann@example.org:9 archive@remote.example:9`,
		"@old.example.org": "@example.org:10",
		"@example.net":     "ann@example.org:11",
		"staff":            "a@example.org:12 b@example.org:12 c@example.org:12",
	} {
		alias, ok := a.Lookup(key)
		if !ok {
			t.Errorf("%s: not found", key)
			continue
		}
		var got []string
		for _, target := range alias.Targets {
			mark := ""
			if target.Direct {
				mark = `\`
			}
			got = append(got, fmt.Sprintf("%s%s:%d", mark, target.Value, target.Place.Line))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", key, s, want)
		}
	}
	if a.Len() != 7 {
		t.Errorf("got %d aliases, want 7", a.Len())
	}
}

func TestParseAliasesRefuses(t *testing.T) {
	for _, tc := range []struct{ name, table, want string }{
		{"no colon", "ann bob", "aliases:1: found no colon"},
		{"continued nothing", "  ann\n", "aliases:1: found a continued line"},
		{"no target", "ann:\nbob: x", "aliases:1: found no target for ann"},
		{"no target at the end", "bob: x\nann: ,\n", "aliases:2: found no target for ann"},
		{"twice", "ann: bob\nANN: carl", "aliases:2: found the alias ann again, which stands in line 1"},
		{"command", "ann: \"|/usr/bin/vacation ann\"", "commands are not supported"},
		{"bare command", "ann: |vacation", "commands are not supported"},
		{"file", "ann: bob,\n /dev/null", "aliases:2: found the file"},
		{"include", "ann: :include:/etc/list", ":include: is not supported"},
		{"comment behind", "ann: bob, # his boss", "a comment has a line of its own"},
		{"blank between targets", "ann: bob carl", "found the target"},
		{"open quote", `ann: "bob`, "found the target"},
		{"bad domain", "@-x: ann", "found the alias"},
		{"everybody at a domain from a name", "ann: @example.org", "found the target"},
		{"bad address", "ann: bob@", "found the target"},
		{"long", "ann: " + strings.Repeat("bob,", MaxLine), "bytes, expected at most"},
		{"many targets", "ann: bob" + strings.Repeat("\n bob", MaxTargets+1), "targets for ann"},
	} {
		_, err := ParseAliases("aliases", []byte(tc.table), "example.org")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func FuzzAliases(f *testing.F) {
	f.Add([]byte(aliasesTable))
	f.Add([]byte("a: \"|x\", b\\,c\n\t, d"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := ParseAliases("aliases", content, "example.org")
		if err != nil {
			return
		}
		for alias := range a.All() {
			if len(alias.Targets) == 0 || alias.Key == "" {
				t.Errorf("got %+v, want a key and targets", alias)
			}
			for _, target := range alias.Targets {
				if !strings.Contains(target.Value, "@") {
					t.Errorf("%s: got the target %q, want a domain in it", alias.Key, target.Value)
				}
			}
		}
	})
}
