// Command landlock prints the ABI of Landlock that the kernel offers and fails
// where there is none.
package main

import (
	"fmt"
	"os"

	"posthorn/internal/priv"
)

func main() {
	abi := priv.LandlockABI()
	fmt.Println("Landlock ABI", abi)
	if abi == 0 {
		os.Exit(1)
	}
}
