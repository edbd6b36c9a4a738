package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"posthorn/internal/dnsx"
)

// dns is a resolver in which every domain has one MX, but for those that a
// name says otherwise of.
type dns struct{}

func (dns) LookupMX(_ context.Context, domain string) ([]dnsx.MX, dnsx.Meta, error) {
	switch {
	case strings.HasPrefix(domain, "null."):
		return []dnsx.MX{{Host: "."}}, dnsx.Meta{Status: dnsx.Found}, nil
	case strings.HasPrefix(domain, "broken."):
		return nil, dnsx.Meta{Status: dnsx.Temporary}, fmt.Errorf("no name server answers")
	}
	return []dnsx.MX{{Host: "mx." + domain, Pref: 10}}, dnsx.Meta{Status: dnsx.Found}, nil
}

func (dns) LookupHost(context.Context, string) ([]netip.Addr, dnsx.Meta, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, dnsx.Meta{Status: dnsx.Found}, nil
}
