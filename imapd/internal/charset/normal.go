package charset

import "golang.org/x/text/unicode/norm"

// Composed reports whether s is in Unicode's Normalization Form C.
func Composed(s string) bool { return norm.NFC.IsNormalString(s) }
