package main

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"testing"

	"corrosion/cmd/corrosion/chaos"
)

// endsWithStdin makes the program die with whoever holds its standard input, so that a test leaves none behind.
const endsWithStdin = "CORROSION_TEST_ENDS_WITH_STDIN"

var chaosConfig = chaos.Flags(flag.CommandLine)

// What JetStream confirmed is stored once, whatever is killed, frozen, cut, filled or deleted meanwhile; the long run is
// `make chaos`.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	chaos.Run(t, *chaosConfig, func(args ...string) *exec.Cmd {
		cmd := exec.Command(self, args...)
		cmd.Env = append(os.Environ(), asProgram+"=1", endsWithStdin+"=1")
		return cmd
	})
}

// dieWithStdin ends the process when its standard input does.
func dieWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}
