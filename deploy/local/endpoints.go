package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Endpoints are URLs that clients on this machine can use, with credentials.
type Endpoints struct {
	HTTP             string   `json:"http"`
	NATS             string   `json:"nats"`
	ClickHouseNative string   `json:"clickhouse_native"`
	ClickHouseHTTP   string   `json:"clickhouse_http"`
	Postgres         string   `json:"postgres"`
	Operator         Operator `json:"operator,omitzero"`
}

// Operator is the login of ClickHouse's read-only user.
type Operator struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

func endpointsFile(dataDir string) string { return filepath.Join(dataDir, "endpoints.json") }

// ReadEndpoints returns the endpoints of the instance that runs on dataDir;
// without one the error wraps fs.ErrNotExist.
func ReadEndpoints(dataDir string) (Endpoints, error) {
	var e Endpoints
	raw, err := os.ReadFile(endpointsFile(dataDir))
	if err != nil {
		return e, fmt.Errorf("find a running instance: %w", err)
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("parse endpoints.json: %w", err)
	}
	return e, nil
}

func (e Endpoints) write(dataDir string) error {
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("encode endpoints: %w", err)
	}
	return writeAtomically(endpointsFile(dataDir), append(content, '\n'))
}
