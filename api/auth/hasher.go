package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/text/unicode/norm"
)

// ErrBusy says that too many passwords are being hashed at once.
var ErrBusy = errors.New("too many sign-ins at once")

// HasherConfig bounds the work on passwords of one process.
type HasherConfig struct {
	Params PasswordParams
	// Parallel hashes are made at once, each of Params.MemoryKiB.
	Parallel int
	// Waiting may stand in line; who comes later is turned away at once.
	Waiting int
}

// DefaultHasherConfig uses half the processors, so that sign-ins never stop the rest, and lets a few seconds' worth wait.
func DefaultHasherConfig() HasherConfig {
	return HasherConfig{Params: DefaultPasswordParams(), Parallel: max(1, runtime.GOMAXPROCS(0)/2), Waiting: 64}
}

// Validate names every setting that makes no sense.
func (c HasherConfig) Validate() error {
	var faults []error
	if c.Params.Time < 1 || c.Params.Time > maxTime || c.Params.MemoryKiB < 8 || c.Params.MemoryKiB > maxMemoryKiB || c.Params.Threads < 1 {
		faults = append(faults, errors.New("auth: password costs are out of bounds"))
	}
	if c.Parallel < 1 || c.Waiting < 0 {
		faults = append(faults, errors.New("auth: Parallel must be at least 1 and Waiting not negative"))
	}
	return errors.Join(faults...)
}

// Hasher hashes and checks passwords with bounded memory. It is safe for concurrent use.
type Hasher struct {
	params  PasswordParams
	admit   chan struct{}
	running chan struct{}
	// decoy is checked where there is no account, so that its absence takes as long.
	decoy string
}

// NewHasher makes a Hasher.
func NewHasher(c HasherConfig) (*Hasher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	decoy, err := HashPassword(NewPassword(), c.Params)
	if err != nil {
		return nil, fmt.Errorf("make the decoy hash: %w", err)
	}
	return &Hasher{
		params: c.Params, admit: make(chan struct{}, c.Parallel+c.Waiting), running: make(chan struct{}, c.Parallel), decoy: decoy,
	}, nil
}

// Hash makes the PHC string of a new password. It fails with ErrPasswordLength, ErrBusy or ctx's error.
func (h *Hasher) Hash(ctx context.Context, password string) (phc string, err error) {
	err = h.do(ctx, func() error {
		phc, err = HashPassword(norm.NFC.String(password), h.params)
		return err
	})
	return phc, err
}

// Check tells whether password belongs to phc; an empty phc belongs to no password and takes as long to find out. rehash
// is the same password under today's costs, where those have grown, else empty.
func (h *Hasher) Check(ctx context.Context, phc, password string) (ok bool, rehash string, err error) {
	known := phc != ""
	if !known {
		phc = h.decoy
	}
	password = norm.NFC.String(password)
	err = h.do(ctx, func() error {
		if ok, err = CheckPassword(phc, password); err != nil || !ok || !known || !NeedsRehash(phc, h.params) {
			return err
		}
		rehash, err = HashFixedPassword(password, h.params)
		return err
	})
	return ok && known && err == nil, rehash, err
}

// do runs work when its turn comes.
func (h *Hasher) do(ctx context.Context, work func() error) error {
	select {
	case h.admit <- struct{}{}:
		defer func() { <-h.admit }()
	default:
		return ErrBusy
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return work()
}
