// Package deploy_test holds what is shipped for operators to its rules.
package deploy_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// documents parses every document of a YAML file.
func documents(t *testing.T, path string) []object {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var found []object
	for decoder := yaml.NewDecoder(file); ; {
		var document object
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found = append(found, document)
	}
}

// at walks into nested maps; nil where the way ends.
func at(value any, way ...string) any {
	for _, step := range way {
		inner, ok := value.(object)
		if !ok {
			return nil
		}
		value = inner[step]
	}
	return value
}

func text(value any) string { s, _ := value.(string); return s }

// imageName finds the default of ${NAME:-default}.
var imageName = regexp.MustCompile(`^\$\{[A-Z_]+:-(.*)\}$`)

// pinned tells whether an image names a version, or must be named by the operator.
func pinned(image string) bool {
	if found := imageName.FindStringSubmatch(image); found != nil {
		image = found[1]
	}
	if strings.HasPrefix(image, "${") && strings.Contains(image, ":?") {
		return true
	}
	_, tag, tagged := strings.Cut(filepath.Base(image), ":")
	return tagged && strings.ContainsAny(tag, "0123456789") && strings.Contains(tag, ".")
}

func TestEveryYAMLFileParses(t *testing.T) {
	count := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == "node_modules" {
			return errors.Join(err, fs.SkipDir)
		}
		if strings.HasSuffix(path, ".yaml") {
			count++
			documents(t, path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.SkipDir) {
		t.Fatal(err)
	}
	if count < 10 {
		t.Errorf("only %d YAML files", count)
	}
}

func TestCompose(t *testing.T) {
	compose := documents(t, "compose/compose.yaml")[0]
	services, _ := compose["services"].(object)
	if len(services) != 7 {
		t.Errorf("%d services", len(services))
	}
	for name, service := range services {
		if !pinned(text(at(service, "image"))) {
			t.Errorf("%s: image %v is not pinned", name, at(service, "image"))
		}
		if at(service, "deploy", "resources", "limits", "memory") == nil || at(service, "deploy", "resources", "limits", "cpus") == nil {
			t.Errorf("%s has no limits", name)
		}
		if name != "migrate" && at(service, "healthcheck", "test") == nil {
			t.Errorf("%s has no health check", name)
		}
		if at(service, "logging", "options", "max-size") == nil {
			t.Errorf("the log of %s grows without bound", name)
		}
		if strings.HasPrefix(text(at(service, "image")), "${CORROSION_IMAGE") && (at(service, "read_only") != true || at(service, "user") != "65532:65532") {
			t.Errorf("%s can write its image or is root", name)
		}
		checkSecrets(t, compose, name, service)
	}
}

// checkSecrets finds passwords that stand in the file, and secrets that are not declared.
func checkSecrets(t *testing.T, compose object, name string, service any) {
	t.Helper()
	environment, _ := at(service, "environment").(object)
	for key, value := range environment {
		secret := strings.Contains(key, "PASSWORD") || strings.Contains(key, "SECRET")
		if secret && !strings.HasPrefix(text(value), "/run/secrets/") || regexp.MustCompile(`://[^/@]*:[^/@]+@`).MatchString(text(value)) {
			t.Errorf("%s: %s holds a password", name, key)
		}
		if file, ok := strings.CutPrefix(text(value), "/run/secrets/"); ok {
			given, _ := at(service, "secrets").([]any)
			found := false
			for _, secret := range given {
				found = found || secret == file
			}
			if !found || at(compose, "secrets", file, "file") == nil {
				t.Errorf("%s: secret %s is not given to it", name, file)
			}
		}
	}
}

func TestKubernetes(t *testing.T) {
	base := documents(t, "kubernetes/kustomization.yaml")[0]
	resources, _ := base["resources"].([]any)
	kinds := map[string]int{}
	for _, resource := range resources {
		for _, document := range documents(t, "kubernetes/"+text(resource)) {
			kind := text(document["kind"])
			kinds[kind]++
			if kind == "Deployment" || kind == "Job" {
				checkPod(t, kind, text(at(document, "metadata", "name")), at(document, "spec", "template", "spec"))
			}
		}
	}
	for kind, want := range map[string]int{"Deployment": 3, "PodDisruptionBudget": 3, "HorizontalPodAutoscaler": 1, "Job": 1, "Service": 1} {
		if kinds[kind] != want {
			t.Errorf("%d of %s, want %d", kinds[kind], kind, want)
		}
	}
	images, _ := base["images"].([]any)
	for _, image := range images {
		if !pinned(text(at(image, "newName")) + ":" + text(at(image, "newTag"))) {
			t.Errorf("image %v is not pinned", image)
		}
	}
}

func checkPod(t *testing.T, kind, name string, pod any) {
	t.Helper()
	if at(pod, "securityContext", "runAsNonRoot") != true {
		t.Errorf("%s may run as root", name)
	}
	containers, _ := at(pod, "containers").([]any)
	for _, container := range containers {
		if at(container, "securityContext", "readOnlyRootFilesystem") != true || at(container, "resources", "limits", "memory") == nil {
			t.Errorf("%s: its root can be written or its memory has no limit", name)
		}
		if kind == "Job" {
			continue
		}
		if at(container, "livenessProbe", "httpGet", "path") != "/livez" || at(container, "readinessProbe", "httpGet", "path") != "/readyz" {
			t.Errorf("%s is not probed", name)
		}
	}
}

// Unit files are what systemd takes, and keep their processes in a sandbox.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob("systemd/corrosion*.service")
	if err != nil || len(units) < 6 {
		t.Fatal(units, err)
	}
	for _, unit := range units {
		raw, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryMax=", "Restart=always", "CapabilityBoundingSet=\n"} {
			if !strings.Contains(string(raw), line) {
				t.Errorf("%s has no %s", unit, line)
			}
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	verify(t, analyze, units)
}

// verify runs systemd's own check on copies whose program and user are there on any machine.
func verify(t *testing.T, analyze string, units []string) {
	t.Helper()
	dir := t.TempDir()
	program := regexp.MustCompile(`(?m)^(ExecStart|ExecStartPre)=\S+`)
	args := []string{"verify", "--man=no"}
	for _, unit := range units {
		raw, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strings.Replace(filepath.Base(unit), "@", "@eu-1", 1))
		if err := os.WriteFile(path, program.ReplaceAll(raw, []byte("$1=/bin/sh")), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, dir) || strings.Contains(line, "corrosion") {
			t.Errorf("systemd-analyze: %s", strings.TrimSpace(line))
		}
	}
	if err != nil && len(out) == 0 {
		t.Error(err)
	}
}

// The image runs as an ordinary user, and its bases name versions.
func TestContainerfile(t *testing.T) {
	raw, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "\nUSER 65532:65532\n") {
		t.Error("the image runs as root")
	}
	bases := regexp.MustCompile(`(?m)^ARG [A-Z]+_IMAGE=(\S+)$`).FindAllStringSubmatch(string(raw), -1)
	if len(bases) != 3 {
		t.Errorf("%d bases", len(bases))
	}
	for _, base := range bases {
		if !pinned(base[1]) {
			t.Errorf("%s is not pinned", base[1])
		}
	}
}

// The script makes every secret that compose.yaml mounts, each of its own.
func TestSecretsScript(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	script, err := os.ReadFile("compose/secrets.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets.sh"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "corrosion")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "corrosion/cmd/corrosion").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func() ([]byte, error) {
		command := exec.CommandContext(t.Context(), filepath.Join(dir, "secrets.sh"))
		command.Env = append(os.Environ(), "CORROSION="+program)
		return command.CombinedOutput()
	}
	if out, err := run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := map[string]string{}
	for _, name := range []string{"clickhouse-password", "postgres-password", "nats-password", "clickhouse-users.xml", "nats-auth.conf", "nats-callout.json"} {
		raw, err := os.ReadFile(filepath.Join(dir, "secrets", name))
		if err != nil || len(raw) < 16 || seen[string(raw)] != "" {
			t.Errorf("%s: %v, %d bytes, the same as %q", name, err, len(raw), seen[string(raw)])
		}
		seen[string(raw)] = name
	}
	if _, err := run(); err == nil {
		t.Error("a second run overwrites secrets that are in use")
	}
}

// Prometheus scrapes each role where docs/production.md has it run, at the port that its unit listens on.
func TestScrape(t *testing.T) {
	guide, err := os.ReadFile("../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	ports := map[string]string{"api": "8080", "ingest": "9090", "aggregate": "9091"}
	for _, row := range regexp.MustCompile(`(?m)^\| (stats-\d+) \| (.*) \|$`).FindAllStringSubmatch(string(guide), -1) {
		for role, port := range ports {
			if strings.Contains(row[2], "corrosion-"+role) {
				want[role] = append(want[role], row[1]+":"+port)
			}
		}
	}
	jobs, _ := documents(t, "prometheus/scrape.yaml")[0]["scrape_configs"].([]any)
	got := map[string][]string{}
	for _, job := range jobs {
		configs, _ := at(job, "static_configs").([]any)
		for _, config := range configs {
			targets, _ := at(config, "targets").([]any)
			for _, target := range targets {
				role := text(at(config, "labels", "role"))
				got[role] = append(got[role], text(target))
			}
		}
	}
	if len(want) != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("scraped are %v, the guide has %v", got, want)
	}
}
