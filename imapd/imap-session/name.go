package main

import "posthorn/internal/utf7"

// encode returns a mailbox name as this client reads it.
func (s *Session) encode(name string) string { return utf7.Encode(name) }
