package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/google/uuid"

	"corrosion/schema/command"
)

// Credentials are what enrolment prints; the file of them is the only secret that an agent has.
type Credentials struct {
	License  uuid.UUID `json:"license_id"`
	ServerID string    `json:"server_id"`
	NATSURL  string    `json:"nats_url"`
	User     string    `json:"nats_user"`
	Password string    `json:"nats_password"`
	// Keys are the platform's public keys, base64.
	Keys []string `json:"platform_keys"`
}

// ReadCredentials reads a file that only its owner may read.
func ReadCredentials(path string) (Credentials, error) {
	var c Credentials
	info, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("read credentials: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return c, fmt.Errorf("read credentials: %s has mode %04o: others may read it; make it 0600", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read credentials: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("read credentials: %s is not what `corrosion agent-user create` prints", path)
	}
	return c, nil
}

// over puts what is given before what the file has.
func (c *Credentials) over(given Credentials) error {
	if given.License != uuid.Nil && c.License != uuid.Nil && given.License != c.License {
		return fmt.Errorf("the credentials are of license %s", c.License)
	}
	if given.ServerID != "" && c.ServerID != "" && given.ServerID != c.ServerID {
		return fmt.Errorf("the credentials are of server %s", c.ServerID)
	}
	fill := func(into *string, value string) {
		if value != "" {
			*into = value
		}
	}
	fill(&c.ServerID, given.ServerID)
	fill(&c.NATSURL, given.NATSURL)
	fill(&c.User, given.User)
	fill(&c.Password, given.Password)
	if given.License != uuid.Nil {
		c.License = given.License
	}
	if len(given.Keys) > 0 {
		c.Keys = given.Keys
	}
	return nil
}

// apply fills a Config.
func (c Credentials) apply(config *Config) error {
	config.License, config.ServerID = c.License, c.ServerID
	config.NATSURL, config.User, config.Password = c.NATSURL, c.User, c.Password
	if c.User == "" && c.ServerID != "" { // the name follows from whose it is
		config.User = "agent-" + c.License.String() + "-" + c.ServerID
	}
	var faults []error
	for _, text := range c.Keys {
		key, err := command.ParseKey(strings.TrimSpace(text))
		if err != nil {
			faults = append(faults, fmt.Errorf("platform key %.8s… %w", text, err))
			continue
		}
		config.Keys = append(config.Keys, key)
	}
	return errors.Join(faults...)
}
