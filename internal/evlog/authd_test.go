package evlog

import "os"

func ExampleLog_Login() {
	l := New(os.Stdout)
	l.Login("imap", "PLAIN", "192.0.2.7", "ann@example.org", "yes", "done", "", nil)
	l.Login("smtp", "", "192.0.2.7", "x\nlogin user=forged", "no", "never", "unknown", nil)
	// Output:
	// login ip=192.0.2.7 user=ann@example.org service=imap mechanism=PLAIN tls=yes verdict=done
	// login ip=192.0.2.7 user="x\nlogin user=forged" service=smtp tls=no verdict=never reason=unknown
}
