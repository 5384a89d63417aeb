package main

import (
	"time"

	"corrosion/api/account"
	"corrosion/api/earlyaccess"
)

// earlyFlags are the settings of early access.
type earlyFlags struct {
	LaunchAt time.Time `env:"CORROSION_LAUNCH_AT" default:"2027-02-28T00:00:00Z" help:"What the early-access countdown runs to (RFC 3339)."`
}

// config is that of early access beside accounts.
func (f earlyFlags) config(accounts account.Config) earlyaccess.Config {
	config := earlyaccess.DefaultConfig()
	config.LaunchAt, config.PublicURL, config.MailEnabled = f.LaunchAt, accounts.PublicURL, accounts.MailEnabled
	return config
}
