package agent

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"corrosion/schema/command"
)

// failure is why a command could not be done, in words for people and as a code.
type failure struct {
	code command.Code
	text string
	// again says that the same download may be tried again at once.
	again bool
}

func (f *failure) Error() string { return f.text }

func failed(code command.Code, format string, args ...any) error {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

// once more: what a further try of the download may cure.
func broke(code command.Code, format string, args ...any) error {
	return &failure{code: code, text: fmt.Sprintf(format, args...), again: true}
}

// errSuperseded is the cause that ends work whose command was followed by another.
var errSuperseded = errors.New("a newer command has come")

// onDisk says what the disk's error means.
func onDisk(step string, err error) error {
	var known *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case isFull(err):
		return failed(command.CodeDiskFull, "%s: the disk of the plugin directory is full", step)
	}
	return failed(command.CodeDisk, "%s: %v", step, err)
}

// isFull tells a disk or a quota without room.
func isFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	var number syscall.Errno
	const diskFull, handleDiskFull = 112, 39 // ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL
	return runtime.GOOS == "windows" && errors.As(err, &number) && (number == diskFull || number == handleDiskFull)
}
