package natsauth

import (
	"errors"
	"fmt"
	"time"
)

// GateConfig says how logins are judged.
type GateConfig struct {
	// Fresh is how long a user is known without asking Postgres again. Changes
	// arrive by notification; Fresh bounds what a lost one costs.
	Fresh time.Duration
	// Stale is how long a known user may log in while Postgres is away.
	Stale time.Duration
	// Lookup bounds one look-up.
	Lookup time.Duration
	// Users bounds the users that are remembered.
	Users int
	// Throttle bounds guessing.
	Throttle ThrottleConfig
}

// ThrottleConfig bounds wrong passwords from one address (a /64 for IPv6). The
// same wrong password again is no new guess.
type ThrottleConfig struct {
	// Free is how many guesses cost nothing.
	Free int
	// Min and Max bound the wait after each further guess; it doubles.
	Min, Max time.Duration
	// Forget is after how long without a guess an address is free again.
	Forget time.Duration
	// Addresses bounds the addresses that are remembered.
	Addresses int
}

// DefaultGateConfig suits tens of thousands of servers.
func DefaultGateConfig() GateConfig {
	return GateConfig{
		Fresh: 10 * time.Second, Stale: 10 * time.Minute, Lookup: 5 * time.Second, Users: 100_000,
		Throttle: ThrottleConfig{Free: 10, Min: time.Second, Max: 5 * time.Minute, Forget: 15 * time.Minute, Addresses: 20_000},
	}
}

// Validate names every field at fault.
func (c GateConfig) Validate() error {
	var faults []error
	check := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New(what))
		}
	}
	check(c.Fresh > 0, "Fresh must be above 0")
	check(c.Stale >= c.Fresh, "Stale must not be below Fresh")
	check(c.Lookup > 0, "Lookup must be above 0")
	check(c.Users > 0, "Users must be above 0")
	check(c.Throttle.Free > 0, "Throttle.Free must be above 0")
	check(c.Throttle.Min > 0 && c.Throttle.Max >= c.Throttle.Min, "Throttle.Min and Max must be above 0 and in order")
	check(c.Throttle.Forget >= c.Throttle.Max, "Throttle.Forget must not be below Throttle.Max")
	check(c.Throttle.Addresses > 0, "Throttle.Addresses must be above 0")
	return wrapFaults("gate", faults)
}

// WardenConfig says how live connections are looked after.
type WardenConfig struct {
	// Every is how often all connections are checked without a reason.
	Every time.Duration
	// Settle is waited after a change, to take several at once.
	Settle time.Duration
	// Again is after how long a change is followed up, for connections that
	// were being admitted while it was made.
	Again time.Duration
	// Limit bounds one check, and one kick.
	Limit, KickLimit time.Duration
	// RetryMin and RetryMax bound the wait before Postgres is listened to again.
	RetryMin, RetryMax time.Duration
}

// DefaultWardenConfig acts within a second of a change.
func DefaultWardenConfig() WardenConfig {
	return WardenConfig{
		Every: 15 * time.Second, Settle: 50 * time.Millisecond, Again: 2 * time.Second, Limit: 30 * time.Second,
		KickLimit: 2 * time.Second, RetryMin: 100 * time.Millisecond, RetryMax: 5 * time.Second,
	}
}

// Validate names every field at fault.
func (c WardenConfig) Validate() error {
	var faults []error
	for _, one := range []struct {
		name  string
		value time.Duration
	}{
		{"Every", c.Every}, {"Settle", c.Settle}, {"Again", c.Again}, {"Limit", c.Limit},
		{"KickLimit", c.KickLimit}, {"RetryMin", c.RetryMin}, {"RetryMax", c.RetryMax},
	} {
		if one.value <= 0 {
			faults = append(faults, fmt.Errorf("%s must be above 0", one.name))
		}
	}
	if c.RetryMax < c.RetryMin {
		faults = append(faults, errors.New("RetryMax must not be below RetryMin"))
	}
	return wrapFaults("warden", faults)
}

// CalloutConfig says how a stock NATS server's questions are answered.
type CalloutConfig struct {
	// Lifetime is after how long an admitted connection must log in again: a
	// bound on what a suspended license can do while no platform process runs.
	Lifetime time.Duration
	// Workers bounds the questions that are answered at once.
	Workers int
	// Patience is after how long a question is dropped instead of answered. A
	// nats-server sends its first PING two seconds after a client has come, and
	// clients that wait for their login take that for an error and start anew.
	Patience time.Duration
	// KickLimit bounds the request that ends a connection without an answer.
	KickLimit time.Duration
}

// DefaultCalloutConfig keeps connections for half a day.
func DefaultCalloutConfig() CalloutConfig {
	return CalloutConfig{Lifetime: 12 * time.Hour, Workers: 32, Patience: 1500 * time.Millisecond, KickLimit: 2 * time.Second}
}

// Validate names every field at fault.
func (c CalloutConfig) Validate() error {
	var faults []error
	if c.Lifetime < time.Minute {
		faults = append(faults, errors.New("lifetime must be at least a minute"))
	}
	if c.Workers <= 0 {
		faults = append(faults, errors.New("number of workers must be above 0"))
	}
	if c.KickLimit <= 0 || c.Patience <= 0 {
		faults = append(faults, errors.New("KickLimit and Patience must be above 0"))
	}
	return wrapFaults("callout", faults)
}

func wrapFaults(what string, faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("check %s settings: %w", what, errors.Join(faults...))
}
