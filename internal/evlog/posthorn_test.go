package evlog

import (
	"errors"
	"os"
	"time"
)

func ExampleLog_Died() {
	l := New(os.Stdout)
	l.Start("queued", 42)
	l.Died("queued", errors.New("fork/exec /opt/é\n/queued: no such file or directory"), 200*time.Millisecond)
	// Output:
	// start name=queued pid=42
	// died name=queued err="fork/exec /opt/\u00e9\n/queued: no such file or directory" again=200ms
}
