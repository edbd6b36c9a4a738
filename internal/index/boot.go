package index

import (
	"hash/fnv"
	"os"
)

// Boot returns a number for the present boot of this machine, 0 when it cannot be
// told. What was written in another one may have been written in part.
func Boot() uint64 {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0
	}
	h := fnv.New64a()
	h.Write(id)
	return h.Sum64()
}
