package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// quotaFlags are the quotas of licenses that have none of their own. All ingesters and the API should be told the same.
type quotaFlags struct {
	QuotaSamples     int64 `env:"CORROSION_QUOTA_SAMPLES" default:"100000" help:"Samples a second that one license may publish, with a minute's worth saved up; 0 = without bound."`
	QuotaBytes       int64 `env:"CORROSION_QUOTA_BYTES" default:"52428800" help:"Bytes of payload a second, decompressed, that one license may publish; 0 = without bound."`
	QuotaServers     int64 `env:"CORROSION_QUOTA_SERVERS" default:"20000" help:"Different servers of one license within an hour; 0 = without bound."`
	QuotaMetricNames int64 `env:"CORROSION_QUOTA_METRIC_NAMES" default:"20000" help:"Different names of custom metrics of one license within an hour; 0 = without bound."`
}

func (f quotaFlags) quotas() schema.Quotas {
	return schema.Quotas{
		SamplesPerSecond: f.QuotaSamples, BytesPerSecond: f.QuotaBytes, Servers: f.QuotaServers, MetricNames: f.QuotaMetricNames,
	}
}

type licenseQuotaCommand struct {
	services
	License          string      `required:"" help:"Whose quotas."`
	SamplesPerSecond quotaChange `placeholder:"N" help:"Samples a second, with a minute's worth saved up."`
	BytesPerSecond   quotaChange `placeholder:"N" help:"Bytes of payload a second, decompressed."`
	Servers          quotaChange `placeholder:"N" help:"Different servers within an hour."`
	MetricNames      quotaChange `placeholder:"N" help:"Different names of custom metrics within an hour."`
}

// quotaChange is a number, 0 for without bound, or "default" for that of the installation.
type quotaChange struct {
	given bool
	value *int64
}

// UnmarshalText reads a quota.
func (q *quotaChange) UnmarshalText(text []byte) error {
	*q = quotaChange{given: true}
	if string(text) == "default" {
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 || n > schema.MaxQuota {
		return fmt.Errorf("%q is no quota: want a number from 0 (without bound) to %d, or default", text, int64(schema.MaxQuota))
	}
	q.value = &n
	return nil
}

// Run sets what is given and prints the license's quotas as JSON; ingesters know them half a minute later.
func (c *licenseQuotaCommand) Run(e *env) error {
	license, err := uuid.Parse(c.License)
	if err != nil {
		return fmt.Errorf("--license %q is not a UUID", c.License)
	}
	if err := c.find(&c.PostgresURL); err != nil {
		return err
	}
	pool, err := c.openPool(e.ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	var own pg.FindLicenseQuotasRow
	err = store.New(pool).Tx(e.ctx, func(queries *pg.Queries) (err error) {
		own, err = c.apply(e.ctx, queries, license)
		return err
	})
	if err != nil {
		return err
	}
	return printQuotas(e.stdout, license, own)
}

// apply sets what is given and gives what holds then.
func (c *licenseQuotaCommand) apply(ctx context.Context, queries *pg.Queries, license uuid.UUID) (own pg.FindLicenseQuotasRow, err error) {
	own, err = queries.FindLicenseQuotas(ctx, license)
	if errors.Is(err, pgx.ErrNoRows) {
		return own, fmt.Errorf("there is no license %s: `corrosion license create` makes one", license)
	}
	if err != nil {
		return own, fmt.Errorf("read quotas: %w", err)
	}
	changed := false
	for _, one := range []struct {
		change quotaChange
		to     **int64
	}{
		{c.SamplesPerSecond, &own.SamplesPerSecond}, {c.BytesPerSecond, &own.BytesPerSecond},
		{c.Servers, &own.Servers}, {c.MetricNames, &own.MetricNames},
	} {
		if one.change.given {
			*one.to, changed = one.change.value, true
		}
	}
	if !changed {
		return own, nil
	}
	err = queries.SetLicenseQuotas(ctx, pg.SetLicenseQuotasParams{
		LicenseID: license, SamplesPerSecond: own.SamplesPerSecond, BytesPerSecond: own.BytesPerSecond,
		Servers: own.Servers, MetricNames: own.MetricNames,
	})
	if err != nil {
		return own, fmt.Errorf("set quotas: %w", err)
	}
	return own, audit.Write(ctx, queries, time.Now(), audit.Done(ctx, "license.quotas-changed", license, "license", license.String(), map[string]any{
		"samples_per_second": own.SamplesPerSecond, "bytes_per_second": own.BytesPerSecond, "servers": own.Servers, "metric_names": own.MetricNames,
	}))
}

// printQuotas writes numbers, "unlimited", and "default" for what is the installation's.
func printQuotas(to io.Writer, license uuid.UUID, own pg.FindLicenseQuotasRow) error {
	show := func(quota *int64) any {
		switch {
		case quota == nil:
			return "default"
		case *quota == 0:
			return "unlimited"
		}
		return *quota
	}
	out := json.NewEncoder(to)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		License          uuid.UUID `json:"license_id"`
		SamplesPerSecond any       `json:"samples_per_second"`
		BytesPerSecond   any       `json:"bytes_per_second"`
		Servers          any       `json:"servers"`
		MetricNames      any       `json:"metric_names"`
	}{license, show(own.SamplesPerSecond), show(own.BytesPerSecond), show(own.Servers), show(own.MetricNames)})
}
