package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"corrosion/schema/cluster"
	"corrosion/schema/connect"
)

var errHTTPURL = errors.New("the ClickHouse HTTP URL cannot be read: want http://user:password@host:8123 or https://user:password@host:8443")

// HTTP is ClickHouse's HTTP interface. Its files are read for each request and each connection.
type HTTP struct {
	address  url.URL
	user     string
	password string
	files    connect.Files
	cluster  string
}

// ClickHouseHTTP reads an http:// or https:// URL.
func ClickHouseHTTP(raw string) (*HTTP, error) {
	base, files, err := connect.Split(raw)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse HTTP: %w", err)
	}
	base, of, err := cluster.Split(base)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse HTTP: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errHTTPURL // the error would show the password
	}
	h := &HTTP{address: *u, files: files, cluster: of.Name}
	if of.Is() {
		values := u.Query()
		for name, value := range ClusterSettings() {
			values.Set(name, value)
		}
		h.address.RawQuery = values.Encode()
	}
	if u.User != nil {
		h.user = u.User.Username()
		h.password, _ = u.User.Password()
		h.address.User = nil
	}
	return h, nil
}

// Address is the URL with neither user nor files.
func (h *HTTP) Address() url.URL { return h.address }

// Cluster is the name of the cluster that the URL names; empty: it names none.
func (h *HTTP) Cluster() string { return h.cluster }

// SignIn puts the user's login into a request.
func (h *HTTP) SignIn(request *http.Request) error {
	password := h.password
	if secret, ok, err := h.files.Secret(); err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	} else if ok {
		password = secret
	}
	if h.user != "" {
		request.Header.Set("X-ClickHouse-User", h.user)
		request.Header.Set("X-ClickHouse-Key", password)
	}
	return nil
}

// Secure lets a transport speak TLS by the files; what it dials with stays its own. It returns the transport.
func (h *HTTP) Secure(transport *http.Transport) *http.Transport {
	if h.address.Scheme != "https" || !h.files.Secure() {
		return transport
	}
	dial := transport.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		config, err := h.files.TLS(nil)
		if err != nil {
			return nil, fmt.Errorf("ClickHouse: %w", err)
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return shakeHands(ctx, conn, config, address)
	}
	return transport
}

// HTTPFromNative guesses the HTTP URL of a server known by its native URL: the first host, the same login and files, and
// the usual port; "" where the URL cannot be read.
func HTTPFromNative(native string) string {
	base, files, err := connect.Split(native)
	if err != nil {
		return ""
	}
	base, of, err := cluster.Split(base)
	if err != nil {
		return ""
	}
	front, query, _ := strings.Cut(base, "?")
	_, front, found := strings.Cut(front, "://")
	front, path, _ := strings.Cut(front, "/")
	if i := strings.Index(front, ","); i >= 0 {
		front = front[:i]
	}
	u, err := url.Parse("clickhouse://" + front)
	if !found || err != nil || u.Hostname() == "" {
		return ""
	}
	out := url.URL{Scheme: "http", User: u.User, Path: "/", Host: net.JoinHostPort(u.Hostname(), "8123")}
	values, _ := url.ParseQuery(query)
	if secure := values.Get("secure"); secure == "true" || secure == "1" || files.Secure() {
		out.Scheme, out.Host = "https", net.JoinHostPort(u.Hostname(), "8443")
	}
	if path != "" {
		out.RawQuery = url.Values{"database": {path}}.Encode()
	}
	joined, err := connect.Join(of.Join(out.String()), files)
	if err != nil {
		return ""
	}
	return joined
}
