// Package deflate compresses what a server says and undoes what a client did (RFC
// 1951), for connections of which most are silent.
//
// A Reader gives out every byte as soon as all of its bits have come, whichever way
// the client flushed: the reader of compress/flate waits for the block behind it,
// which after zlib's partial flush is the client's next command. A Packer compresses
// each piece by itself, so that a connection keeps nothing between two of them, and a
// process has a few compressors however many connections there are.
package deflate
