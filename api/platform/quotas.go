package platform

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// Quota is what bounds one kind of publishing.
type Quota struct {
	Own       *int64 `json:"own" doc:"The license's own; 0 is without bound, null is that of the installation"`
	Effective *int64 `json:"effective" doc:"What holds; null is without bound"`
}

// Quotas are a license's ingest quotas.
type Quotas struct {
	SamplesPerSecond Quota `json:"samples_per_second" doc:"A minute's worth may be saved up and sent at once"`
	BytesPerSecond   Quota `json:"bytes_per_second" doc:"Payload after decompression; a minute's worth may be saved up"`
	Servers          Quota `json:"servers" doc:"Different server_id values within an hour"`
	MetricNames      Quota `json:"metric_names" doc:"Different names of custom metrics within an hour"`
}

// ownQuotas are schema.QuotaOverrides, in the order in which quotas are named.
type ownQuotas schema.QuotaOverrides

func (s *Service) quotas(own ownQuotas) Quotas {
	holds := schema.QuotaOverrides(own).Over(s.defaults)
	quota := func(own *int64, effective int64) Quota {
		if effective == 0 {
			return Quota{Own: own}
		}
		return Quota{own, &effective}
	}
	return Quotas{
		quota(own.SamplesPerSecond, holds.SamplesPerSecond), quota(own.BytesPerSecond, holds.BytesPerSecond),
		quota(own.Servers, holds.Servers), quota(own.MetricNames, holds.MetricNames),
	}
}

// SetQuotas writes what change makes of a license's own quotas; ingesters know them half a minute later. An error of
// change leaves everything as it was. It fails with ErrNoLicense.
func (s *Service) SetQuotas(ctx context.Context, id uuid.UUID, change func(schema.QuotaOverrides) (schema.QuotaOverrides, error)) (after LicenseDetails, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if err := q.LockThing(ctx, "quotas "+id.String()); err != nil {
			return fmt.Errorf("wait for another change: %w", err)
		}
		before, err := q.FindLicenseQuotas(ctx, id)
		if store.Missing(err) {
			return ErrNoLicense
		}
		if err != nil {
			return fmt.Errorf("read quotas: %w", err)
		}
		own, err := change(schema.QuotaOverrides(before))
		if err != nil {
			return err
		}
		err = q.SetLicenseQuotas(ctx, pg.SetLicenseQuotasParams{
			LicenseID: id, SamplesPerSecond: own.SamplesPerSecond, BytesPerSecond: own.BytesPerSecond, Servers: own.Servers, MetricNames: own.MetricNames,
		})
		if err != nil {
			return fmt.Errorf("set quotas: %w", err)
		}
		details := map[string]any{
			"samples_per_second": own.SamplesPerSecond, "bytes_per_second": own.BytesPerSecond, "servers": own.Servers, "metric_names": own.MetricNames,
		}
		if err := s.write(ctx, q, "license.quotas-changed", id, "license", id.String(), details); err != nil {
			return err
		}
		after, err = s.license(ctx, q, id)
		return err
	})
	return after, err
}
