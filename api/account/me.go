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
	row, err := q.FindProfile(ctx, who.Account)
	if err != nil {
		return p, fmt.Errorf("find the account: %w", err)
	}
	p = Profile{User: row.User, TOTP: row.TotpOn, RecoveryCodes: row.RecoveryCodes}
	p.Memberships, err = q.ListMemberships(ctx, who.Account)
	return p, store.Wrap("list the account's licenses", err)
}
