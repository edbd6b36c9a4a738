// Package starter runs work under the uids that own mail, for a daemon that
// itself runs under a uid of its own.
//
// Three processes take part:
//
//	the daemon     asks for work under a uid (Starter.Do); holds the list of children
//	the starter    root, with nothing but the capabilities to change uids; Main
//	a child        one a uid, started on demand, ends when idle; Child.Serve
//
// The daemon starts the starter (Start) as long as it is root, and gives its
// own rights away afterwards. The starter reads nothing but uid and gid from
// the daemon, whose parsers talk to others; it checks both by its own rules
// (Config), starts the program with those ids, exactly one group, a clean
// environment and one end of a socket as descriptor 3, and passes the other end
// back. It sees no mail and no request.
//
// Nobody is killed: a starter or child ends when the other end of its socket is
// closed, after it has finished what it was doing. That holds when the daemon
// is killed as well, and needs no parent-death signal, which would follow the
// thread that forked.
package starter
