// Package pause is how loops wait between two tries.
package pause

import (
	"context"
	"time"
)

// For waits d; false where ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
