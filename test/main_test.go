package test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("POSTHORN_TEST_PROBE") != "" {
		probe()
		return
	}
	os.Exit(m.Run())
}
