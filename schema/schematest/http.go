package schematest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"corrosion/schema/connect/stores"
)

// Ask sends a query to a ClickHouse HTTP URL as a user of its own, as clients do that no program of ours stands before; values
// are settings and parameters. A refusal is an *stores.Exception.
func Ask(ctx context.Context, target string, user *url.Userinfo, query string, values url.Values) ([]byte, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	u.User, u.RawQuery = user, values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(query))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // test
	if response.StatusCode != http.StatusOK {
		return nil, stores.Refusal(response)
	}
	return io.ReadAll(stores.NewAnswer(response))
}
