package main

import "posthorn/imapd/internal/query"

// lazySize is the size of the messages whose preview is made for who wants it only
// if it takes no time (RFC 8970 section 4.1).
const lazySize = 64 << 10

// previews reports whether a message of that size gets a preview.
func (f *fetcher) previews(size int64) bool {
	return f.Items&query.Preview != 0 && (f.Items&query.PreviewLazy == 0 || size <= lazySize)
}

func (p *parts) writePreview(f *fetcher) {
	if !f.previews(p.size) {
		f.w.Raw("NIL")
		return
	}
	f.w.AString(p.preview)
}
