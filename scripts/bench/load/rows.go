package main

// row is a measurement that stands in the table under a name.
type row struct {
	name, kind string // smtp or mailbox
	run        func(*bench, row) error

	// Of those that send mail:
	messages, conns, perConn int
	rcpts, size              int
	relay, tls               bool
}

// rows returns all of them, in the order of the tables.
func rows() []row {
	return []row{
		{name: "D", kind: "smtp", run: idleSMTP, conns: 1000},
		{name: "D-TLS", kind: "smtp", run: idleSMTP, conns: 1000, tls: true},
		{name: "A1", kind: "smtp", run: sendRow, messages: 400, conns: 1, perConn: 1, rcpts: 1, size: 4 << 10},
		{name: "A20", kind: "smtp", run: sendRow, messages: 2000, conns: 20, perConn: 1, rcpts: 1, size: 4 << 10},
		{name: "A20-TLS", kind: "smtp", run: sendRow, messages: 2000, conns: 20, perConn: 1, rcpts: 1, size: 4 << 10, tls: true},
		{name: "A100", kind: "smtp", run: sendRow, messages: 2000, conns: 100, perConn: 1, rcpts: 1, size: 4 << 10},
		{name: "K20", kind: "smtp", run: sendRow, messages: 4000, conns: 20, perConn: 100, rcpts: 1, size: 4 << 10},
		{name: "B20", kind: "smtp", run: sendRow, messages: 2000, conns: 20, perConn: 1, rcpts: 1, size: 4 << 10, relay: true},
		{name: "C5", kind: "smtp", run: sendRow, messages: 50, conns: 5, perConn: 1, rcpts: 100, size: 4 << 10},
		{name: "BIG", kind: "smtp", run: sendRow, messages: 40, conns: 4, perConn: 1, rcpts: 1, size: 10 << 20},
		{name: "QUEUE", kind: "smtp", run: queueRow, messages: 100000, conns: 20, perConn: 100, rcpts: 1, size: 1 << 10, relay: true},
		{name: "MAILBOX", kind: "mailbox", run: mailboxRows},
	}
}
