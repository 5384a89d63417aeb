// Package deploycheck_test reads what is shipped for operators with the libraries of the programs that will read it.
package deploycheck_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const deploy = "../../deploy"

// Compose takes the file with nothing but what docs/production.md puts into .env, and refuses it without.
func TestCompose(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join(deploy, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	load := func(environment types.Mapping) (*types.Project, error) {
		return loader.LoadWithContext(t.Context(), types.ConfigDetails{
			WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}}, Environment: environment,
		})
	}
	if _, err := load(types.Mapping{}); err == nil {
		t.Error("no image is named, and the file is taken")
	}
	project, err := load(types.Mapping{"CORROSION_IMAGE": "corrosion:1.0.0", "CORROSION_PUBLIC_URL": "https://stats.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(project.Services)); len(names) != 7 {
		t.Errorf("services %v", names)
	}
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			_, err := os.Stat(volume.Source)
			if made := filepath.Dir(volume.Source) == filepath.Join(dir, "secrets"); err != nil && !made {
				t.Errorf("%s mounts %s: %v", name, volume.Source, err)
			}
		}
		if service.Deploy == nil || service.Deploy.Resources.Limits == nil || service.Deploy.Resources.Limits.MemoryBytes == 0 {
			t.Errorf("%s has no bound of memory", name)
		}
	}
	if _, err := project.GetServices(project.ServiceNames()...); err != nil {
		t.Error(err)
	}
}
