package main

import (
	"os/exec"
	"syscall"
)

// diesWithUs has a process end when the test's does, however that ends.
func diesWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
