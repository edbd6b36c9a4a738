// Command deliver-box puts messages into one owner's Maildirs. deliver's root
// starter starts it with the owner's uid when there is mail for boxes of that
// uid; it answers requests on descriptor 3 and ends when it has been idle.
package main

import (
	"fmt"
	"os"

	"posthorn/deliver/internal/owner"
	"posthorn/internal/daemon"
	"posthorn/internal/evlog"
)

func main() {
	if err := owner.Run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		evlog.New(os.Stderr).Fatal(fmt.Errorf("deliver-box: %w", err))
		os.Exit(daemon.ExitAgain)
	}
}
