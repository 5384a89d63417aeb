package registry

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// Changes of one server follow each other: none is lost, and a stale tag is refused.
func TestChangesFollowEachOther(t *testing.T) {
	n := newNetwork(t, 7)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := n.Change(t.Context(), n.license, "s01", func(s Settings) (Settings, error) {
				s.Groups = append(slices.Clone(s.Groups), fmt.Sprint("g", i))
				return s, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, registered, err := n.Settings(t.Context(), n.license, "s01")
	if err != nil || !registered || len(s.Groups) != 8 {
		t.Errorf("got %+v %v %v, want eight groups", s, registered, err)
	}
	if _, err := n.Change(t.Context(), n.license, "nobody", func(s Settings) (Settings, error) { return s, nil }); !errors.Is(err, ErrUnknown) {
		t.Errorf("a server that is not known: got %v", err)
	}
	if _, err := n.Change(t.Context(), uuid.New(), "s01", func(s Settings) (Settings, error) { return s, nil }); !errors.Is(err, ErrUnknown) {
		t.Errorf("a server of another license: got %v", err)
	}
	if _, err := n.Create(t.Context(), n.license, "s01", Settings{}); !errors.Is(err, ErrExists) {
		t.Errorf("create what is there: got %v", err)
	}
	if _, err := n.Create(t.Context(), n.license, "s02", Settings{}); !errors.Is(err, ErrExists) {
		t.Errorf("create what was heard: got %v", err)
	}
	stop := errors.New("stop")
	if _, err := n.Change(t.Context(), n.license, "s02", func(s Settings) (Settings, error) { return Settings{Name: "x"}, stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if _, registered, _ := n.Settings(t.Context(), n.license, "s02"); registered {
		t.Error("a change that failed left a row")
	}
}
