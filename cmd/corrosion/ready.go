package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyLimit is longer than a process takes to check its services.
const readyLimit = 4 * time.Second

type readyCommand struct {
	URL string `arg:"" default:"http://127.0.0.1:8080/readyz" help:"What to ask: /readyz or /livez of a process."`
}

// Run asks a process whether it is ready and fails with its reason where it is not: for health checks in images that have
// no other program.
func (c *readyCommand) Run(e *env) error {
	request, err := http.NewRequestWithContext(e.ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return errors.New("the URL cannot be read")
	}
	response, err := (&http.Client{Timeout: readyLimit}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
