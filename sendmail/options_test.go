package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// line sums up what options say.
func (o options) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", o.mode)
	if o.fromHeader {
		b.WriteString(" t")
	}
	if o.dots {
		b.WriteString(" i")
	}
	if o.sender != nil {
		fmt.Fprintf(&b, " f=%s", *o.sender)
	}
	for _, kv := range [][2]string{{"F", o.fullName}, {"N", o.notify}, {"R", o.ret}, {"V", o.envid}, {"C", o.conf}, {"I", o.only}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, " %s=%s", kv[0], kv[1])
		}
	}
	if o.eightBit {
		b.WriteString(" 8")
	}
	if o.verbose {
		b.WriteString(" v")
	}
	if o.patience != defaultPatience {
		fmt.Fprintf(&b, " patience=%v", o.patience)
	}
	fmt.Fprintf(&b, " %s", strings.Join(o.args, "|"))
	return b.String()
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct{ call, want string }{
		{"sendmail -t -i", "0 t i "},
		{"sendmail -ti", "0 t i "},
		{"sendmail -it -fann@x.test", "0 t i f=ann@x.test "},
		{"sendmail -oi -t -f ann@x.test", "0 t i f=ann@x.test "},
		{"sendmail -i -FCronDaemon -B8BITMIME -oem root", "0 i F=CronDaemon 8 root"},
		{"sendmail -odb -oeq -om -oA/x bob", "0 bob"},
		{"sendmail -o i bob", "0 i bob"},
		{"sendmail -o8 bob", "0 8 bob"},
		{"sendmail -r ann bob", "0 f=ann bob"},
		{"sendmail -f  bob", "0 f= bob"},
		{"sendmail -f <> bob", "0 f=<> bob"},
		{"sendmail bob -f ann", "0 f=ann bob"},
		{"sendmail -t -i -- -odd@x.test", "0 t i -odd@x.test"},
		{"sendmail -i - bob", "0 i -|bob"},
		{"sendmail -N never -R hdrs -V a+b=c bob", "0 N=NEVER R=HDRS V=a+2Bb+3Dc bob"},
		{"sendmail -Nsuccess,delay bob", "0 N=SUCCESS,DELAY bob"},
		{"sendmail -G -U -n -m -v -L tag -X /dev/null -A c -h 3 -p x -e m -d9 -x -c bob", "0 v bob"},
		{"sendmail -vbs", "1 v "},
		{"sendmail -bs", "1 "}, {"sendmail -bv bob", "2 bob"}, {"sendmail -bp", "3 "}, {"sendmail -bi", "4 "}, {"sendmail -I", "4 "},
		{"sendmail -bm bob", "0 bob"},
		{"sendmail -q", "5 "}, {"sendmail -q30m", "5 "}, {"sendmail -qIabc", "5 I=abc "},
		{"mailq", "3 "}, {"mailq -v", "3 v "}, {"newaliases", "4 "}, {"newaliases -oA/etc/aliases", "4 "},
		{"sendmail -C /x.conf -O Timeout.submit=5s -O IgnoreDots=true -O DeliveryMode=b bob", "0 i C=/x.conf patience=5s bob"},
	} {
		words := strings.Split(tc.call, " ")
		o, err := parseOptions(words[0], words[1:])
		if got := o.line(); err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.call, got, err, tc.want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for call, want := range map[string]string{
		"sendmail -y":                             "unknown option -y",
		"sendmail -tK":                            "unknown option -K",
		"sendmail -f":                             "-f without a value",
		"sendmail -bd":                            "no daemon",
		"sendmail -bD":                            "no daemon",
		"sendmail -bt":                            "expected -bm",
		"sendmail -b":                             "expected -bm",
		"sendmail -B 9BIT bob":                    "expected 7BIT or 8BITMIME",
		"sendmail -N never,delay bob":             "expected never",
		"sendmail -N delay,delay bob":             "expected never",
		"sendmail -R all bob":                     "expected full or hdrs",
		"sendmail -qRx.test":                      "expected -q, or -qI and an id",
		"sendmail -V a\tb bob":                    "printable ASCII",
		"sendmail -O Timeout.submit=x":            "duration",
		"sendmail -V " + strings.Repeat("x", 101): "at most 100",
	} {
		words := strings.Split(call, " ")
		_, err := parseOptions(words[0], words[1:])
		var f *failure
		if !errors.As(err, &f) || f.code != exUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a failure of %d with %q", call, err, exUsage, want)
		}
	}
}

// FuzzOptions: a script may put a stranger's words among the arguments.
func FuzzOptions(f *testing.F) {
	f.Add("-oi\x00-f\x00ann@test\x00-N\x00success,delay\x00--\x00-bob@test")
	f.Add("-t\x00-B8BITMIME\x00-Fann\x00-V\x00x+20y\x00-R\x00hdrs\x00-qI06x")
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parseOptions("sendmail", strings.Split(line, "\x00"))
		if err != nil {
			return
		}
		if o.patience < 0 || strings.ContainsAny(o.notify+o.ret+o.envid, "\r\n") {
			t.Errorf("%q: got %+v", line, o)
		}
	})
}
