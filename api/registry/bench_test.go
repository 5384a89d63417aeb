package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// BenchmarkList reads pages of a license with 5,000 servers and a day of samples, one in ten minutes.
func BenchmarkList(b *testing.B) {
	pool, conn := schematest.Postgres(b), schematest.ClickHouse(b)
	license, now := uuid.New(), time.Now()
	if _, err := pg.New(pool).CreateLicense(b.Context(), pg.CreateLicenseParams{ID: license, Name: "bench"}); err != nil {
		b.Fatal(err)
	}
	r := New(pool, conn, time.Now)
	const servers = 5000
	var samples []schema.Sample
	for i := range servers {
		id := fmt.Sprintf("server-%05d", i)
		for at := now.Add(-24 * time.Hour); at.Before(now); at = at.Add(10 * time.Minute) {
			s := schema.Sample{License: license, ServerID: id, TS: at.UnixMilli(), ReceivedAt: now.UnixMilli(), Epoch: 1, Seq: uint64(len(samples))}
			s.SetUint(schema.Players, uint64(len(samples)%200))
			s.SetFloat(schema.FPS, 60)
			samples = append(samples, s)
		}
		if len(samples) > 100_000 || i == servers-1 {
			schematest.InsertSamples(b, conn, samples)
			samples = samples[:0]
		}
		settings := Settings{Name: id, Tags: map[string]string{"region": "eu", "mode": "pvp"}, Groups: []string{"main"}}
		if _, err := put(b.Context(), pg.New(pool), license, id, settings); err != nil {
			b.Fatal(err)
		}
	}
	for _, sort := range []string{"server_id", "-last_seen", "-players"} {
		b.Run(sort, func(b *testing.B) {
			for b.Loop() {
				list, err := r.List(b.Context(), ListRequest{License: license, Sort: sort, Limit: 100})
				if err != nil || list.Total != servers {
					b.Fatal(list, err)
				}
			}
		})
	}
}
