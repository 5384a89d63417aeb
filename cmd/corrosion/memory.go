package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

// memory bounds the process.
type memory struct {
	MemoryLimit int64 `env:"CORROSION_MEMORY_LIMIT" default:"805306368" help:"Bytes that this process's memory is kept below, by collecting garbage more often; at least 512 MiB. GOMEMLIMIT wins."`
}

// leastMemory is what the ingester's buffers need under the worst payloads, with room.
const leastMemory = 512 << 20

// apply makes the limit hold for the process.
func (m memory) apply() error {
	if m.MemoryLimit < leastMemory {
		return fmt.Errorf("--memory-limit is %d: want at least %d bytes", m.MemoryLimit, leastMemory)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(m.MemoryLimit)
	}
	return nil
}
