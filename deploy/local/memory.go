package local

import (
	"os"
	"strconv"
	"strings"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	// leastMemory is what ClickHouse needs to work at all.
	leastMemory = 512 * mebibyte
)

// defaultMemory is 40 % of what this machine or container has, at most 4 GiB.
func defaultMemory() int64 {
	total := totalMemory()
	if limit := containerMemory(); limit > 0 && (total == 0 || limit < total) {
		total = limit
	}
	if total == 0 {
		return gibibyte
	}
	return max(leastMemory, min(total*2/5, 4*gibibyte))
}

// containerMemory is the control group's limit in bytes, 0 without one.
func containerMemory() int64 {
	raw, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return limit
}
