//go:build !linux

package installation_test

import "testing"

// smallDisk is for systems on which a test may make a file system.
func smallDisk(t *testing.T, _, _ string) {
	t.Helper()
	t.Skip("no small file system can be made here")
}
