package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rungs is the ladder of doc/architecture.md: a package imports lower rungs
// only, nobody sideways or up.
var rungs = [][]string{
	{"calm", "stamp", "uidl", "verdict"},
	{"attr", "conf", "durable", "evlog", "id", "park", "password", "priv", "screen", "tlsconf", "utf7", "watch"},
	{"addr", "dnsx", "dovecot", "dsn", "index", "maildir", "message", "sock"},
	{"courier", "daemon", "directory", "guard", "picture", "quota", "spool", "starter", "statefile", "tables"},
	{"door", "handover", "login", "mailbox", "session"},
}

// outside names the folders that may use an outside module.
var outside = map[string][]string{
	"github.com/emersion/go-smtp":         {"internal/guard"},
	"github.com/emersion/go-sasl":         {"authd", "internal/guard"},
	"github.com/miekg/dns":                {"internal/dnsx", "test/dnsd"},
	"github.com/go-crypt/crypt":           {"internal/password"},
	"golang.org/x/crypto":                 {"internal/password"},
	"github.com/landlock-lsm/go-landlock": {"internal/priv"},
	"golang.org/x/net":                    {"internal/addr", "internal/dnsx"},
	"golang.org/x/text":                   {"imapd/internal/charset", "internal/addr", "internal/password"},
	"golang.org/x/sys":                    nil, // wherever a system call is needed
	"github.com/emersion/go-maildir":      {},  // tests only
	"github.com/emersion/go-imap/v2":      {},  // tests only
}

// source is one Go file of the tree.
type source struct {
	file, pkg string
	test      bool
	imports   []string
}

// sources reads every Go file itself: a test that asks a child process would
// not be run again when an import changes.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := ".."
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "bin" || d.Name() == "run" || d.Name() == "tools" || d.Name() == "vendor") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		s := source{file: rel, pkg: path.Dir(filepath.ToSlash(rel)), test: strings.HasSuffix(file, "_test.go")}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			s.imports = append(s.imports, imp)
		}
		all = append(all, s)
		return nil
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("got %d files, %v", len(all), err)
	}
	return all
}

// rung returns a package's place: its index in rungs, or their number for
// what stands above them, the programs. -1 is a stranger.
func rung(pkg string) int {
	name, shared := strings.CutPrefix(pkg, "internal/")
	if !shared {
		return len(rungs)
	}
	return slices.IndexFunc(rungs, func(r []string) bool { return slices.Contains(r, name) })
}

func TestLadder(t *testing.T) {
	for _, s := range sources(t) {
		own := rung(s.pkg)
		if own < 0 {
			t.Errorf("%s: package %s has no place on the ladder", s.file, s.pkg)
		}
		if s.test {
			continue // a test may reach for what it needs to set the stage
		}
		for _, imp := range s.imports {
			dep, ours := strings.CutPrefix(imp, "posthorn/")
			if !ours {
				continue
			}
			switch theirs := rung(dep); {
			case dep == "test/instance" && (s.pkg == "test/suite" || strings.HasPrefix(s.pkg, "scripts/")):
			case theirs == len(rungs) && !nested(s.pkg, dep):
				t.Errorf("%s: imports %s, which belongs to another program", s.file, dep)
			case theirs < len(rungs) && theirs >= own:
				t.Errorf("%s: on rung %d, imports %s on rung %d", s.file, own, dep, theirs)
			}
		}
	}
}

// nested reports whether dep is an internal package of the program that pkg
// belongs to.
func nested(pkg, dep string) bool {
	program, _, ok := strings.Cut(dep, "/internal/")
	return ok && (pkg == program || strings.HasPrefix(pkg, program+"/"))
}

func TestOutsideModules(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.imports {
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") || s.test {
				continue
			}
			known := false
			for module, folders := range outside {
				if imp != module && !strings.HasPrefix(imp, module+"/") {
					continue
				}
				known = true
				if folders != nil && !slices.Contains(folders, s.pkg) {
					t.Errorf("%s: imports %s, expected only in %v", s.file, imp, folders)
				}
			}
			if !known {
				t.Errorf("%s: imports %s, an outside module that is not in the table", s.file, imp)
			}
		}
	}
}

// TestProgramsHaveNamesOfTheirOwn: two programs with one base name would
// overwrite each other in bin/ and look alike in ps.
func TestProgramsHaveNamesOfTheirOwn(t *testing.T) {
	programs := map[string]string{}
	for _, s := range sources(t) {
		if path.Base(s.file) != "main.go" {
			continue
		}
		base := path.Base(s.pkg)
		if other, ok := programs[base]; ok && other != s.pkg {
			t.Errorf("%s and %s are both called %s", other, s.pkg, base)
		}
		programs[base] = s.pkg
	}
}
