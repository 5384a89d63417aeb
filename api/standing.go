package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// mostStandings bounds the licenses that are remembered.
const mostStandings = 10_000

// standings remembers for a moment whether licenses may ask: every request wants to know.
type standings struct {
	mu   sync.RWMutex // covers kept
	kept map[uuid.UUID]keptStanding
}

type keptStanding struct {
	status LicenseStatus
	until  time.Time
}

// standing is a license's status, at most Config.StandingTTL old.
func (s *Server) standing(ctx context.Context, license uuid.UUID) (LicenseStatus, error) {
	if s.cfg.StandingTTL <= 0 {
		return s.askStanding(ctx, license)
	}
	now, m := s.deps.Now(), &s.standings
	m.mu.RLock()
	kept, ok := m.kept[license]
	m.mu.RUnlock()
	if ok && now.Before(kept.until) {
		return kept.status, nil
	}
	status, err := s.askStanding(ctx, license)
	if err != nil {
		return status, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= mostStandings {
		m.kept = map[uuid.UUID]keptStanding{}
	}
	m.kept[license] = keptStanding{status, now.Add(s.cfg.StandingTTL)}
	return status, nil
}

func (s *Server) askStanding(ctx context.Context, license uuid.UUID) (LicenseStatus, error) {
	status, err := s.deps.Licenses.Status(ctx, license)
	if err != nil {
		return status, fmt.Errorf("look up license: %w", err)
	}
	return status, nil
}
