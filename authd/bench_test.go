package main

import (
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
)

// BenchmarkRequests is what authd does for one message besides the socket.
func BenchmarkRequests(b *testing.B) {
	svc := newSite(b, "", "ann:"+md5Secret+"\n", "").service(b)
	for name, req := range map[string]attr.List{
		"resolve": {{Name: "request", Value: "resolve"}, {Name: "address", Value: "ann@example.org"}},
		"box":     {{Name: "request", Value: "box"}, {Name: "box", Value: "ann@example.org"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				l, _ := svc.handle(b.Context(), sock.Peer{}, req, nil)
				if l.Get("verdict") != "done" {
					b.Fatal(l)
				}
				out, _ = attr.Append(out[:0], l)
			}
		})
	}
}
