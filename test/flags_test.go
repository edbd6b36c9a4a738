package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flagPages names the pages that have the flags which the code of a folder
// defines.
func flagPages(t *testing.T, folder string) []string {
	switch folder {
	case "posthorn":
		return []string{"posthorn.8"}
	case "deliver/internal/owner":
		return []string{"posthorn-deliver-box.8"}
	case "internal/daemon":
		pages, _ := filepath.Glob("../doc/man/posthorn-*.8")
		for i, p := range pages {
			pages[i] = filepath.Base(p)
		}
		return slices.DeleteFunc(pages, func(p string) bool { return p == "posthorn-deliver-box.8" })
	case "internal/session": // a child, which only its own program starts
		return nil
	}
	t.Errorf("%s: got flags, want none, or a page that names them", folder)
	return nil
}

// TestFlagsArePaged: each flag that a program takes stands on its page.
func TestFlagsArePaged(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		folder := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../"))
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"../test", "../scripts", "../tools", "../bin"}, path):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		for _, name := range flagsOf(t, path) {
			found++
			for _, p := range flagPages(t, folder) {
				if !slices.Contains(paged(page(t, p)), name) {
					t.Errorf("%s: got no flag -%s of %s", p, name, folder)
				}
			}
		}
		return nil
	})
	if err != nil || found < 8 {
		t.Errorf("got %d flags, %v, want those of the sources", found, err)
	}
}

// flagsOf returns the names that a source gives to flag sets.
func flagsOf(t *testing.T, path string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 3 {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		set, ok := sel.X.(*ast.Ident)
		if !ok || set.Name != "flags" && set.Name != "flag" {
			return true
		}
		if strings.HasSuffix(sel.Sel.Name, "Var") {
			names = append(names, literal(call.Args[1]))
		} else {
			names = append(names, literal(call.Args[0]))
		}
		return true
	})
	return names
}

// paged returns the flags that a page marks up with Fl; several letters in one
// word of Op count each.
func paged(text string) (names []string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			switch before := words[i-1]; {
			case strings.TrimPrefix(before, ".") == "Fl":
				names = append(names, words[i])
				if i > 1 && strings.TrimPrefix(words[i-2], ".") == "Op" {
					names = append(names, strings.Split(words[i], "")...)
				}
			case before == "," && len(words[i]) == 1 && strings.Contains(line, "Fl "):
				names = append(names, words[i])
			}
		}
	}
	return names
}

// TestSendmailsLettersArePaged: sendmail(1) has each letter that sendmail takes.
func TestSendmailsLettersArePaged(t *testing.T) {
	known := map[string]bool{}
	for _, name := range paged(page(t, "sendmail.1")) {
		known[name[:1]] = true
	}
	f, err := parser.ParseFile(token.NewFileSet(), "../sendmail/options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	letters := ""
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && slices.Contains([]string{"withValue", "maybeValue", "alone"}, spec.Names[0].Name) {
			letters += literal(spec.Values[0])
		}
		return true
	})
	if len(letters) < 20 {
		t.Fatalf("got the letters %q, want those of the three constants", letters)
	}
	for _, c := range strings.Split(letters, "") {
		if !known[c] {
			t.Errorf("sendmail.1: got no option -%s", c)
		}
	}
}

// TestCommandsArePaged: posthorn(8) has each word of posthorn, and no other.
func TestCommandsArePaged(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../posthorn/main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || len(lit.Elts) != 4 || literal(lit.Elts[0]) == "" {
			return true
		}
		name := literal(lit.Elts[0])
		words, _, _ := strings.Cut(literal(lit.Elts[1]), " ")
		if !strings.Contains(words, "|") {
			want[name] = true
			return true
		}
		for _, w := range strings.Split(words, "|") {
			want[name+" "+w] = true
		}
		return true
	})
	if len(want) < 15 {
		t.Fatalf("got only %d commands", len(want))
	}
	list, _, _ := strings.Cut(page(t, "posthorn.8"), "\n.Sh DAEMONS\n")
	for line := range strings.Lines(list) {
		for _, m := range commandPattern.FindAllStringSubmatch(line, -1) {
			if strings.HasPrefix(line, ".It Cm ") && !want[m[1]] && !want[strings.Fields(m[1])[0]] {
				t.Errorf("posthorn.8: got the entry %q, want one that posthorn has", m[1])
			}
		}
	}
	for name := range want {
		if !regexp.MustCompile(`(?m)^\.It (.*, )?Cm ` + name + `\b`).MatchString(list) {
			t.Errorf("posthorn.8: got no entry `Cm %s`", name)
		}
	}
}

var commandPattern = regexp.MustCompile(`Cm ([a-z]+(?: [a-z]+)?)`)
