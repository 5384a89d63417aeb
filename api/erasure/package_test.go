package erasure

import (
	"testing"

	"github.com/google/uuid"
)

func TestSubjectsOfALicense(t *testing.T) {
	license := uuid.New()
	for subject, want := range map[string]bool{
		"corrosion." + license.String() + ".stats": true, "corrosion_dead." + license.String(): true, "p.3." + license.String() + ".srv": true,
		"corrosion." + uuid.NewString() + ".stats": false, "corrosion.x" + license.String() + ".stats": false, "": false,
	} {
		if of(subject, license) != want {
			t.Errorf("%q: not %v", subject, want)
		}
	}
}
