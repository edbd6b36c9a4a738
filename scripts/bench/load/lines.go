package main

// mailLines name the rows that send mail.
func mailLines() []line {
	return []line{
		{row: "A1", text: "A1: 4 KiB to a box, one connection"},
		{row: "A20", text: "A20: 20 connections"},
		{row: "A20-TLS", text: "A20 over STARTTLS"},
		{row: "A100", text: "A100: 100 connections"},
		{row: "K20", text: "K20: 20 connections, 100 messages each"},
		{row: "B20", text: "B20: to another host, 20 connections"},
		{row: "C5", text: "C5: to 100 boxes each, 5 connections"},
		{row: "BIG", text: "10 MiB to a box, 4 connections (a tenth: CPU-ms per MiB)"},
	}
}

func memoryLines() []line {
	return []line{
		{"D", "idle", "all processes, idle, MiB"},
		{"D", "each", "D: an idle SMTP connection, KiB"},
		{"D-TLS", "each", "the same over STARTTLS, KiB"},
		{"QUEUE", "messages", "messages that the next host does not take yet"},
		{"QUEUE", "fill-cpu", "to take and first try 1,000 of them, CPU-s"},
		{"QUEUE", "fill-rate", "messages/s of that"},
		{"QUEUE", "start", "start with all of them until a new message is delivered, s"},
		{"QUEUE", "memory", "memory with all of them, MiB"},
		{"QUEUE", "pass-cpu", "to try 1,000 of them again, CPU-s"},
		{"QUEUE", "pass-rate", "tries/s of that"},
		{"QUEUE", "peak", "memory meanwhile, MiB"},
		{"QUEUE", "drain-rate", "messages/s when the next host takes them"},
		{"QUEUE", "lost", "lost"},
		{"QUEUE", "doubled", "doubled"},
	}
}

func boxLines() []line {
	return []line{
		{row: "login", text: "login and logout, 20 clients"},
		{row: "login-TLS", text: "the same over TLS"},
		{row: "select-first", text: "SELECT of 10,000 messages, for the first time"},
		{row: "select", text: "SELECT again"},
		{row: "select-after-store", text: "STORE, then SELECT"},
		{row: "fetch-flags", text: "FETCH flags, UID and size, a message"},
		{row: "fetch-envelope-first", text: "FETCH ENVELOPE for the first time, a message"},
		{row: "fetch-envelope", text: "FETCH ENVELOPE again"},
		{row: "fetch-structure", text: "FETCH BODYSTRUCTURE"},
		{row: "fetch-bodies", text: "FETCH whole messages"},
		{row: "search-from", text: "SEARCH FROM in 10,000"},
		{row: "search-body", text: "SEARCH BODY in 10,000"},
		{row: "sort-subject", text: "SORT by subject of 10,000"},
		{row: "sort-date", text: "SORT by date, the newest first"},
		{row: "thread", text: "THREAD by references of 10,000"},
		{row: "store-one", text: "STORE of one message"},
		{row: "store-many", text: "STORE of 1,000, a message"},
		{row: "append", text: "APPEND of 8 KiB"},
		{row: "fetch-large", text: "FETCH a whole message of 2 MiB"},
		{row: "list", text: "LIST of 1,000 folders"},
		{row: "list-status-first", text: "LIST with STATUS of 1,000 folders, for the first time"},
		{row: "list-status", text: "the same again"},
		{row: "select-huge-first", text: "SELECT of 100,000 messages, for the first time"},
		{row: "qresync", text: "SELECT of 100,000 with QRESYNC, 100 of them changed"},
		{row: "login-select-TLS", text: "login, SELECT of 10,000 messages and logout over TLS, one client"},
		{row: "select-TLS", text: "SELECT again over TLS"},
		{row: "fetch-flags-TLS", text: "FETCH flags, UID and size over TLS, a message"},
		{row: "fetch-bodies-TLS", text: "FETCH whole messages over TLS"},
		{row: "fetch-large-TLS", text: "FETCH a whole message of 2 MiB over TLS"},
		{row: "store-one-TLS", text: "STORE of one message over TLS"},
		{row: "append-TLS", text: "APPEND of 8 KiB over TLS"},
	}
}

func boxMemoryLines() []line {
	return []line{
		{"idle", "idle", "all processes after that, idle, MiB"},
		{"idle", "each", "a connection in IDLE, KiB"},
		{"idle-TLS", "each", "the same over TLS, KiB"},
	}
}
