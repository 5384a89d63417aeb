package account

import (
	"context"
	"fmt"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Profile is an account as its owner sees it.
type Profile struct {
	User        pg.User
	Memberships []pg.ListMembershipsRow
	TOTP        bool
	// RecoveryCodes is how many are left.
	RecoveryCodes int64
}

// Me reads the account of a person.
func (s *Service) Me(ctx context.Context, who Person) (p Profile, err error) {
	q := s.store.Queries()
	if p.User, err = q.FindUser(ctx, who.Account); err != nil {
		return p, fmt.Errorf("find the account: %w", err)
	}
	if p.Memberships, err = q.ListMemberships(ctx, who.Account); err != nil {
		return p, fmt.Errorf("list the account's licenses: %w", err)
	}
	factor, err := q.FindTOTP(ctx, who.Account)
	if err != nil && !store.Missing(err) {
		return p, fmt.Errorf("find the second factor: %w", err)
	}
	p.TOTP = err == nil && factor.ConfirmedAt != nil
	p.RecoveryCodes, err = q.CountRecoveryCodes(ctx, who.Account)
	return p, store.Wrap("count the recovery codes", err)
}
