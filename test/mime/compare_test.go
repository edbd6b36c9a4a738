package mime

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpus is for a corpus that may not stand in the tree: its differences are
// only listed.
var corpus = flag.String("corpus", "", "compare over the files of this `folder` instead, and list the differences")

// answers are what a server says of each message, by its place, and item.
type answers []map[string]string

// TestDovecotAgrees asks our server and Dovecot the same of the same files.
func TestDovecotAgrees(t *testing.T) {
	messages := load(t)
	theirs, mine := dovecot(t, messages), ours(t, messages)
	got, want := collect(t, mine, theirs, messages)
	table := differences
	if *corpus != "" {
		table = nil
	}
	used := map[string]bool{}
	items := 0
	for i, m := range messages {
		for _, item := range keys(got[i], want[i]) {
			items++
			if got[i][item] != want[i][item] && !known(table, used, m, item) {
				t.Errorf("%s: %s:\nours    %s\ndovecot %s", m.Name, item, around(got[i][item], want[i][item]), around(want[i][item], got[i][item]))
			}
		}
	}
	for _, d := range table {
		for _, name := range d.names {
			if !used[d.item+name] {
				t.Errorf("%s: %s: in the table of differences, but nothing differs", name, d.item)
			}
		}
	}
	t.Logf("%d messages, %d items", len(messages), items)
}

// known reports whether the table explains a difference, and notes each line
// that does.
func known(table []difference, used map[string]bool, m Message, item string) bool {
	found := false
	for _, d := range table {
		if !regexp.MustCompile("^(" + d.item + ")$").MatchString(item) {
			continue
		}
		if slices.Contains(d.names, m.Name) || d.when != nil && d.when(m) {
			used[d.item+m.Name] = true
			found = true
		}
	}
	return found
}

// around shortens got to what stands near its first difference from want.
func around(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from, to := max(0, i-150), min(len(got), i+250)
	if from == 0 {
		return got[:to]
	}
	return "…" + got[from:to]
}

func keys(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// load returns the messages to compare.
func load(t *testing.T) (messages []Message) {
	if *corpus == "" {
		messages, err := Messages()
		if err != nil {
			t.Fatal(err)
		}
		return messages
	}
	names, err := filepath.Glob(filepath.Join(*corpus, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, Message{filepath.Base(name), string(text)})
	}
	return messages
}

// collect asks both. The parts that are asked for are those that either sees.
func collect(t *testing.T, mine, theirs *client, messages []Message) (got, want answers) {
	got, want = make(answers, len(messages)), make(answers, len(messages))
	for i := range messages {
		a, have := fetch(mine, i+1, items)
		b, haveToo := fetch(theirs, i+1, items)
		paths := slices.Sorted(maps.Keys(have))
		for path := range haveToo {
			if _, ok := have[path]; !ok {
				paths = append(paths, path)
			}
		}
		var wanted []string
		for _, path := range paths[:min(len(paths), 30)] {
			for _, s := range sections {
				wanted = append(wanted, fmt.Sprintf(s, path))
			}
		}
		aParts, _ := fetch(mine, i+1, wanted)
		bParts, _ := fetch(theirs, i+1, wanted)
		maps.Copy(a, aParts)
		maps.Copy(b, bParts)
		absent(a, b, have)
		got[i], want[i] = a, b
	}
	failed := make(chan error, 1)
	go func() { failed <- ask(theirs, want) }()
	if err := errors.Join(ask(mine, got), <-failed); err != nil {
		t.Error(err)
	}
	return got, want
}

// absent leaves out what is not there: NIL says so (RFC 3501 section 4.5), and a
// part that is no multipart and no message has neither parts nor header (section
// 6.4.5). Dovecot says "", or takes a part for its own part 1.
func absent(got, want map[string]string, have map[string]bool) {
	for item, v := range got {
		path := strings.Trim(number.FindString(item), "[.")
		if path == "" || v != "NIL" {
			continue
		}
		message, there := have[path]
		whole := regexp.MustCompile(`^BODY\[[0-9.]+(MIME)?\]`).MatchString(item)
		if !there || !message && !whole {
			delete(got, item)
			delete(want, item)
		}
	}
}

var number = regexp.MustCompile(`\[[0-9][0-9.]*`)

// ask notes for each message whether each key finds it.
func ask(c *client, out answers) error {
	for _, key := range searches() {
		if err := search(c, key, out); err != nil {
			return err
		}
	}
	return nil
}

// fetch returns the items of a message in a common form, and the parts that its
// structure names, with whether they are messages.
func fetch(c *client, uid int, items []string) (map[string]string, map[string]bool) {
	responses, err := c.ask(fmt.Sprintf("UID FETCH %d (%s)", uid, strings.Join(items, " ")))
	if err != nil {
		return map[string]string{"FETCH": err.Error()}, nil
	}
	out := map[string]string{}
	paths := map[string]bool{}
	for _, r := range responses {
		if len(r) != 4 || r[2] != atom("FETCH") {
			continue
		}
		list := r[3].([]any)
		for i := 0; i+1 < len(list); i += 2 {
			name := strings.ToUpper(string(list[i].(atom)))
			switch name {
			case "ENVELOPE":
				envelope(out, list[i+1])
			case "BODY", "BODYSTRUCTURE":
				out[name] = show(structure(list[i+1]))
				parts(list[i+1], "", paths)
			case "UID", "FLAGS":
			default:
				out[name] = show(list[i+1])
			}
		}
	}
	return out, paths
}

func envelope(out map[string]string, v any) {
	names := []string{"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"}
	list, _ := v.([]any)
	if len(list) != len(names) {
		out["ENVELOPE"] = show(v)
		return
	}
	for i, name := range names {
		out["ENVELOPE "+name] = show(list[i])
	}
}

// structure brings a structure into one form: types, encodings and names of
// parameters compare without regard to case (RFC 2045 sections 5.1 and 6.1).
func structure(v any) any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return v
	}
	list = slices.Clone(list)
	at := 0
	for at < len(list) && isList(list[at]) {
		list[at] = structure(list[at])
		at++
	}
	if at > 0 { // a multipart: parts, subtype, and if asked for parameters, disposition, …
		lower(list, at)
		names(list, at+1)
		disposition(list, at+2)
		return list
	}
	lower(list, 0, 1, 5)
	names(list, 2)
	rest := 7
	switch {
	case strings.EqualFold(fmt.Sprint(list[0]), "text"):
		rest = 8
	case len(list) > 9 && isList(list[7]):
		list[8] = structure(list[8])
		rest = 10
	}
	disposition(list, rest+1)
	return list
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

func lower(list []any, places ...int) {
	for _, i := range places {
		if i >= len(list) {
			continue
		}
		if s, ok := list[i].(string); ok {
			list[i] = strings.ToLower(s)
		}
	}
}

// names brings parameters into one order, which means nothing (RFC 2045 section
// 5.1).
func names(list []any, at int) {
	if at >= len(list) {
		return
	}
	if params, ok := list[at].([]any); ok {
		params = slices.Clone(params)
		var pairs []string
		for i := 0; i+1 < len(params); i += 2 {
			lower(params, i)
			pairs = append(pairs, show(params[i])+" "+show(params[i+1]))
		}
		slices.Sort(pairs)
		list[at] = pairs
	}
}

func disposition(list []any, at int) {
	if at >= len(list) {
		return
	}
	if d, ok := list[at].([]any); ok {
		d = slices.Clone(d)
		lower(d, 0)
		names(d, 1)
		list[at] = d
	}
}

// parts notes the numbers of all parts of a structure, and whether each is a
// message.
func parts(v any, prefix string, out map[string]bool) {
	list, _ := v.([]any)
	if len(list) == 0 {
		return
	}
	if !isList(list[0]) {
		list = []any{list}
	}
	for i := 0; i < len(list) && isList(list[i]); i++ {
		path := prefix + strconv.Itoa(i+1)
		sub := list[i].([]any)
		inner := len(sub) > 9 && isList(sub[7]) && isList(sub[8])
		out[path] = inner
		switch {
		case len(sub) > 0 && isList(sub[0]):
			parts(sub, path+".", out)
		case inner:
			parts(sub[8], path+".", out)
		}
	}
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "NIL"
	case string:
		return strconv.Quote(v)
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, show(e))
		}
		return "(" + strings.Join(out, " ") + ")"
	}
	return fmt.Sprint(v)
}

func search(c *client, key string, out answers) error {
	name := question(key)
	for i := range out {
		out[i][name] = "no"
	}
	responses, err := c.ask("UID SEARCH CHARSET UTF-8 " + key)
	if err != nil {
		return err
	}
	for _, r := range responses {
		if len(r) < 2 || r[1] != atom("SEARCH") {
			continue
		}
		for _, uid := range r[2:] {
			n, err := strconv.Atoi(fmt.Sprint(uid))
			if err != nil || n < 1 || n > len(out) {
				return fmt.Errorf("%s: %s: got %v", c.name, name, r)
			}
			out[n-1][name] = "yes"
		}
	}
	return nil
}
