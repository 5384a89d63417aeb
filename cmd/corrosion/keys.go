package main

import (
	"encoding/json"

	"corrosion/api/auth"
)

type keysCommand struct {
	List   keysListCommand   `cmd:"" help:"Print the ids and ages of the signing keys as JSON, the newest last."`
	Rotate keysRotateCommand `cmd:"" help:"Add a key that signs from now on; nobody is logged out."`
}

// keyFile is where the keys are.
type keyFile struct {
	jwtKeys
	Data string `env:"CORROSION_DATA" default:"./data" help:"Everything that local services and the program keep."`
}

type keysListCommand struct{ keyFile }

// Run prints what may be told of the keys.
func (c *keysListCommand) Run(e *env) error {
	keys, err := auth.LoadKeys(c.path(c.Data))
	if err != nil {
		return err
	}
	out := json.NewEncoder(e.stdout)
	out.SetIndent("", "  ")
	return out.Encode(keys.List())
}

type keysRotateCommand struct{ keyFile }

// Run adds a key; processes that run on the file sign with it within seconds.
func (c *keysRotateCommand) Run(e *env) error {
	if err := auth.RotateKeys(c.path(c.Data)); err != nil {
		return err
	}
	return (&keysListCommand{c.keyFile}).Run(e)
}
