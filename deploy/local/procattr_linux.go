package local

import "syscall"

// dieWithParent makes the system send signal to the child when we die.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }
