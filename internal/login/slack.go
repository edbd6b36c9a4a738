package login

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// slack are the buffers of a tls.Conn that crypto/tls never gives back: what it
// reads records into, which is as large as the largest record so far, and what it
// puts handshake messages together in. They are half of what a silent connection
// takes, and when they are empty it makes new ones by itself.
//
// The fields are not exported. Where crypto/tls does not have them as they are
// here, no connection is touched.
type slack []uintptr // offsets in a tls.Conn

// findSlack looks for the buffers.
func findSlack() slack {
	var all slack
	for _, name := range []string{"rawInput", "hand"} {
		f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
		if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
			return nil
		}
		all = append(all, f.Offset)
	}
	return all
}

// drop gives the empty buffers of c up. The caller is the one who reads c.
func (s slack) drop(c *tls.Conn) {
	for _, offset := range s {
		if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset)); b.Len() == 0 {
			*b = bytes.Buffer{}
		}
	}
}
