package directory

import (
	"net/netip"
	"strings"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/verdict"
)

func TestSASL(t *testing.T) {
	c, requests := authd(t, func(req attr.List) string {
		if req.Get("exchange") == "" {
			return done + "challenge=YWJj exchange=x1"
		}
		return done + "user=ann@example.org ticket=t1"
	})
	ch, err := c.SASL(t.Context(), Step{Service: "imap", Mechanism: "LOGIN", Client: netip.MustParseAddr("192.0.2.1"), TLS: true,
		TLSExporter: []byte("key"), Certificate: []string{"a@b", "c"}, Response: []byte{}})
	if err != nil || string(ch.Text) != "abc" || ch.Exchange != "x1" {
		t.Errorf("got %+v, %v, want a challenge", ch, err)
	}
	if got, want := <-requests, "proto=posthorn-auth/1 request=sasl service=imap mechanism=LOGIN client=192.0.2.1 tls=yes tls-exporter=a2V5 certificate=a@b certificate=c response="; got != want {
		t.Errorf("request: got %s, want %s", got, want)
	}
	if ch, err = c.SASL(t.Context(), Step{Exchange: "x1", Response: []byte("def"), Service: "imap"}); err != nil || ch.User != "ann@example.org" || ch.Ticket != "t1" || ch.Exchange != "" {
		t.Errorf("got %+v, %v, want ann", ch, err)
	}
	if got, want := <-requests, "proto=posthorn-auth/1 request=sasl exchange=x1 response=ZGVm"; got != want {
		t.Errorf("request: got %s, want %s", got, want)
	}
	c.SASL(t.Context(), Step{Service: "pop3", Mechanism: "PLAIN"})
	if got := <-requests; strings.Contains(got, "response") || strings.Contains(got, "tls-exporter") {
		t.Errorf("request without a response: got %s", got)
	}
	_, err = c.SASL(t.Context(), Step{Service: "imap", Mechanism: "PLAIN", Response: make([]byte, maxResponse+1)})
	if v := verdict.Of(err); v.Status != "5.5.2" || len(requests) > 0 {
		t.Errorf("a long response: got %v, want 5.5.2 and nobody asked", err)
	}
	if _, err = c.SASL(t.Context(), Step{Exchange: "x1", Response: make([]byte, maxResponse)}); err != nil {
		t.Errorf("a response that fits: got %v", err)
	}
}

func TestSASLFails(t *testing.T) {
	c, _ := authd(t, always("verdict=never status=5.7.8 text=no user=ann delay=0"))
	if ch, err := c.SASL(t.Context(), Step{}); verdict.Of(err).Status != "5.7.8" || ch.User != "ann" {
		t.Errorf("got %+v, %v, want 5.7.8 and the user", ch, err)
	}
	c, _ = authd(t, always(done+"challenge=? exchange=x"))
	if _, err := c.SASL(t.Context(), Step{}); verdict.Of(err).Kind != verdict.Later {
		t.Errorf("a challenge that is none: got %v, want later", err)
	}
}

func TestUsable(t *testing.T) {
	all := []string{"PLAIN", ScramPlus, External}
	for _, tc := range []struct {
		step Step
		want string
	}{
		{Step{}, "PLAIN"},
		{Step{TLSExporter: []byte("x")}, "PLAIN SCRAM-SHA-256-PLUS"},
		{Step{Certificate: []string{"x"}}, "PLAIN EXTERNAL"},
	} {
		if got := strings.Join(tc.step.Usable(all), " "); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.step, got, tc.want)
		}
	}
}
