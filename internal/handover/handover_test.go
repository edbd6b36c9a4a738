package handover

import (
	"bufio"
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// overSocket is l as its reader sees it.
func overSocket(t *testing.T, l attr.List) attr.List {
	t.Helper()
	b, err := attr.Append(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	l, err = attr.Read(bufio.NewReaderSize(bytes.NewReader(b), attr.MaxLine))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func deliverRequest() DeliverRequest {
	return DeliverRequest{
		ID: id.New(), Try: 2, Time: time.UnixMicro(1_800_000_000_000_001), From: addr.Address{Local: "a b", Domain: "x.example"},
		Offset: 300, Size: 12, Boxes: []BoxRcpt{{"ann@example.org", "ann+x@example.org"}, {"root", "root@example.org"}},
	}
}

func remoteRequest() RemoteRequest {
	return RemoteRequest{
		ID: id.New(), Try: 1, Body: "8bitmime", UTF8: true, Offset: 1, Size: 2, Destination: "b.example",
		Hosts: []Host{{"mx1.b.example", "25"}, {"192.0.2.1", "26"}}, TLS: "may", Login: "u:p:q", CAFile: "/etc/ca", LMTP: true,
		Mail: dsn.Mail{Ret: dsn.Hdrs, Envid: "an id"},
		Rcpts: []Rcpt{
			{addr.Address{Local: "bob", Domain: "b.example"}, dsn.Rcpt{Orcpt: "rfc822;b@c.example", Notify: dsn.Success}},
			{Address: addr.Address{Local: `q"q`, Domain: "b.example"}},
		},
	}
}

func TestRequestsComeBackAsTheyWent(t *testing.T) {
	d := deliverRequest()
	if got, err := DecodeDeliver(overSocket(t, d.Encode())); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("deliver: got %+v, %v, want %+v", got, err, d)
	}
	r := remoteRequest()
	if got, err := DecodeRemote(overSocket(t, r.Encode())); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("remote: got %+v, %v, want %+v", got, err, r)
	}
	if u, p := r.Credentials(); u != "u" || p != "p:q" {
		t.Errorf("credentials: got %q %q", u, p)
	}
}

func TestResultsComeBackAsTheyWent(t *testing.T) {
	ds := []DeliverResult{
		{"ann@example.org", verdict.New(verdict.Done, "2.0.0", "kept"), "1.x.y"},
		{"root", verdict.New(verdict.Never, "5.2.2", "mailbox full"), ""},
	}
	if got, err := DecodeDeliverResults(overSocket(t, EncodeDeliverResults(ds))); err != nil || !reflect.DeepEqual(got, ds) {
		t.Errorf("deliver: got %+v, %v, want %+v", got, err, ds)
	}
	r := RemoteResult{Reached: true, Rcpts: []RcptResult{{"bob@b.example", verdict.New(verdict.Later, "4.2.0", "greylisted"), "mx[192.0.2.1]", true}}}
	if got, err := DecodeRemoteResult(overSocket(t, r.Encode())); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("remote: got %+v, %v, want %+v", got, err, r)
	}
}

func TestRefusalOfTheWholeIsAnError(t *testing.T) {
	l := sock.Reply(verdict.New(verdict.Later, "4.3.2", "too busy"))
	var e *verdict.Error
	if _, err := DecodeDeliverResults(l); !errors.As(err, &e) || e.Status != "4.3.2" {
		t.Errorf("deliver: got %v", err)
	}
	if _, err := DecodeRemoteResult(l); !errors.As(err, &e) || e.Status != "4.3.2" {
		t.Errorf("remote: got %v", err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	set := func(l attr.List, name, value string) attr.List {
		out := attr.List{}
		for _, a := range l {
			if a.Name == name {
				a.Value = value
			}
			out = append(out, a)
		}
		return out
	}
	d, r := deliverRequest().Encode(), remoteRequest().Encode()
	for _, c := range []struct{ name, value string }{
		{"request", "other"}, {"id", "../../etc"}, {"try", "0"}, {"try", "x"}, {"from", "<a@b>"},
		{"offset", "-1"}, {"size", ""}, {"time", "now"},
	} {
		if _, err := DecodeDeliver(set(d, c.name, c.value)); err == nil {
			t.Errorf("deliver with %s=%s: got no error", c.name, c.value)
		}
	}
	for _, c := range []struct{ name, value string }{
		{"request", "other"}, {"id", ""}, {"try", "-1"}, {"tls", "maybe"}, {"body", "binary"}, {"utf8", "1"}, {"rcpt", "bob"}, {"protocol", "uucp"},
	} {
		if _, err := DecodeRemote(set(r, c.name, c.value)); err == nil {
			t.Errorf("remote with %s=%s: got no error", c.name, c.value)
		}
	}
	many := deliverRequest()
	many.Boxes = make([]BoxRcpt, MaxBoxes+1)
	if _, err := DecodeDeliver(many.Encode()); err == nil {
		t.Error("too many boxes: got no error")
	}
}

func FuzzDecode(f *testing.F) {
	for _, l := range []attr.List{deliverRequest().Encode(), remoteRequest().Encode(), EncodeDeliverResults(nil)} {
		b, err := attr.Append(nil, l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := attr.Parse(b)
		if err != nil {
			return
		}
		if r, err := DecodeDeliver(l); err == nil {
			if again, err := DecodeDeliver(overSocket(t, r.Encode())); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("deliver: %+v came back as %+v, %v", r, again, err)
			}
		}
		if r, err := DecodeRemote(l); err == nil {
			if again, err := DecodeRemote(overSocket(t, r.Encode())); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("remote: %+v came back as %+v, %v", r, again, err)
			}
		}
		DecodeDeliverResults(l)
		DecodeRemoteResult(l)
	})
}
