package evlog_test

import (
	"errors"
	"os"

	"posthorn/internal/evlog"
)

func ExampleLog_Sent() {
	l := evlog.New(os.Stdout)
	l.Sent("06ev0c8z1k3n5q7r9t2v4x6y8a", "bob@example.net", "mx.example.net[192.0.2.2]", "2.0.0", "250 2.0.0 kept", "TLS1.3", 1)
	// Output:
	// sent id=06ev0c8z1k3n5q7r9t2v4x6y8a to=bob@example.net host=mx.example.net[192.0.2.2] verdict=done status=2.0.0 text="250 2.0.0 kept" tls=TLS1.3 try=1
}

func ExampleLog_Unsent() {
	l := evlog.New(os.Stdout)
	l.Unsent("06ev0c8z1k3n5q7r9t2v4x6y8a", "\"b c\"@example.net", "mx.example.net[192.0.2.2]", "never", "5.1.1", "550 5.1.1 no\nsent id=forged", "", 1)
	// Output:
	// unsent id=06ev0c8z1k3n5q7r9t2v4x6y8a to="\"b c\"@example.net" host=mx.example.net[192.0.2.2] verdict=never status=5.1.1 text="550 5.1.1 no\nsent id=forged" try=1
}

func ExampleLog_HostFailed() {
	l := evlog.New(os.Stdout)
	l.HostFailed("06ev0c8z1k3n5q7r9t2v4x6y8a", "mx.example.net", "mx.example.net has no address", errors.New("nothing"))
	// Output:
	// host-failed id=06ev0c8z1k3n5q7r9t2v4x6y8a host=mx.example.net text="mx.example.net has no address" err=nothing
}
