package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"posthorn/internal/conf"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../doc/man", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDirectivesArePaged holds posthorn.conf(5) to the table of directives.
func TestDirectivesArePaged(t *testing.T) {
	text := page(t, "posthorn.conf.5")
	for _, d := range conf.Directives() {
		args := strings.ReplaceAll(d.Args, "…", "...")
		_, entry, ok := strings.Cut(text, fmt.Sprintf("\n.It Ic %s Ar %s\n", d.Name, args))
		if !ok {
			t.Errorf("%s: got no entry `.It Ic %s Ar %s`", d.Name, d.Name, args)
			continue
		}
		entry, _, _ = strings.Cut(entry, "\n.It ")
		entry += "\n"
		if d.Default != "" && !strings.Contains(strings.ReplaceAll(entry, `\e`, `\`), "Default: "+d.Default+".\n") {
			t.Errorf("%s: got no `Default: %s.` in its entry", d.Name, d.Default)
		}
		if strings.Contains(entry, "Em repeats") != d.Repeat {
			t.Errorf("%s: marked as repeating: %v, want %v", d.Name, !d.Repeat, d.Repeat)
		}
		if strings.Contains(entry, "restart\n") != d.Restart {
			t.Errorf("%s: marked as restart: %v, want %v", d.Name, !d.Restart, d.Restart)
		}
	}
	known := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ".It Ic ") && !strings.HasPrefix(line, ".It Ic include ") {
			known++
		}
	}
	if known != len(conf.Directives()) {
		t.Errorf("got %d entries, want one for each of %d directives", known, len(conf.Directives()))
	}
}

// event is one line that the log may have.
type event struct {
	name string
	keys []string
}

// events reads the calls of Log.event out of the sources.
func events(t *testing.T) []event {
	t.Helper()
	files, err := filepath.Glob("../internal/evlog/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []event
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "event" || len(call.Args) == 0 {
				return true
			}
			e := event{name: literal(call.Args[0])}
			for i := 1; i < len(call.Args); i += 2 {
				e.keys = append(e.keys, literal(call.Args[i]))
			}
			all = append(all, e)
			return true
		})
	}
	if len(all) < 20 {
		t.Fatalf("got only %d events", len(all))
	}
	return all
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// TestEventsArePaged holds posthorn-log(5) to the events of the code: each has
// an entry with all its keys, and no entry is left over.
func TestEventsArePaged(t *testing.T) {
	text := page(t, "posthorn-log.5")
	want := map[string]bool{}
	for _, e := range events(t) {
		entry := ".It Sy " + e.name
		for _, k := range e.keys {
			if k == "" || e.name == "" {
				t.Errorf("%s: a name or key that is no literal", e.name)
			}
			entry += " Ar " + k
		}
		want[entry] = true
		if !strings.Contains(text, "\n"+entry+"\n") {
			t.Errorf("got no entry `%s`", entry)
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, ".It Sy ") && !want[line] {
			t.Errorf("got the entry `%s`, want one that the code has", line)
		}
	}
}

// TestProgramsArePaged: each program that is installed has a page that begins
// with its name, and each page that another refers to is there.
func TestProgramsArePaged(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	programs := strings.Fields(strings.ReplaceAll(variable(string(makefile), "DAEMONS")+" "+variable(string(makefile), "ADMIN"), "\\\n", " "))
	if len(programs) < 10 {
		t.Fatalf("got only %d programs of the Makefile", len(programs))
	}
	for _, p := range programs {
		p = filepath.Base(p)
		if !anyPage(".Nm "+p+"\n", p, "posthorn-"+p) {
			t.Errorf("%s: got no page with `.Nm %s`", p, p)
		}
	}
	pages, _ := filepath.Glob("../doc/man/*.[0-9]")
	for _, file := range pages {
		for line := range strings.Lines(page(t, filepath.Base(file))) {
			f := strings.Fields(line)
			if len(f) < 3 || f[0] != ".Xr" || !strings.HasPrefix(f[1], "posthorn") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../doc/man", f[1]+"."+f[2])); err != nil {
				t.Errorf("%s: refers to %s(%s), which is not there", filepath.Base(file), f[1], f[2])
			}
		}
	}
}

// variable returns what a Makefile gives a variable, continued lines too.
func variable(makefile, name string) string {
	_, rest, _ := strings.Cut(makefile, "\n"+name)
	_, rest, _ = strings.Cut(rest, "=")
	for n := range len(rest) {
		if rest[n] == '\n' && (n == 0 || rest[n-1] != '\\') {
			return rest[:n]
		}
	}
	return rest
}

// anyPage says whether a page of one of these names has the text.
func anyPage(text string, names ...string) bool {
	for _, name := range names {
		found, _ := filepath.Glob("../doc/man/" + name + ".[0-9]")
		for _, file := range found {
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), text) {
				return true
			}
		}
	}
	return false
}

// TestProtocolsArePaged: each protocol that the code speaks has a document and
// stands in posthorn-protocol(7).
func TestProtocolsArePaged(t *testing.T) {
	overview := page(t, "posthorn-protocol.7")
	files, _ := filepath.Glob("../internal/*/*.go")
	spoken := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range protoPattern.FindAllStringSubmatch(string(b), -1) {
			spoken[m[1]] = m[1] != "message" // a file: posthorn-spool(5)
		}
	}
	if len(spoken) < 6 {
		t.Fatalf("got only %d protocols in the code", len(spoken))
	}
	for name, yes := range spoken {
		if !yes {
			continue
		}
		if !strings.Contains(overview, "posthorn-"+name+"/1") {
			t.Errorf("posthorn-%s/1 is not in posthorn-protocol(7)", name)
		}
		if _, err := os.Stat("../doc/protocol/" + name + ".md"); err != nil {
			t.Errorf("posthorn-%s/1: %v", name, err)
		}
	}
}

var protoPattern = regexp.MustCompile(`"posthorn-([a-z]+)/1"`)
