package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/archive"
	"corrosion/api/auth"
	"corrosion/api/deadletter"
	"corrosion/api/earlyaccess"
	"corrosion/api/encode"
	"corrosion/api/erasure"
	"corrosion/api/events"
	"corrosion/api/exportjob"
	"corrosion/api/idempotency"
	"corrosion/api/installation"
	"corrosion/api/live"
	"corrosion/api/module"
	"corrosion/api/platform"
	"corrosion/api/query"
	"corrosion/api/registry"
	"corrosion/schema"
)

// Config are the settings of the HTTP server.
type Config struct {
	// Listen is host:port; port 0 takes a free one.
	Listen string
	// Version stands in the OpenAPI document.
	Version string
	// RequestTimeout bounds the work for one answer, files aside.
	RequestTimeout time.Duration
	// ReadTimeout bounds how long a request may take to arrive, IdleTimeout how long a connection may rest between two.
	ReadTimeout time.Duration
	IdleTimeout time.Duration
	// WriteTimeout bounds how long a client may take nothing of an answer; an answer as a whole may take for ever.
	WriteTimeout time.Duration
	// ShutdownTimeout is how long Close waits for answers under way.
	ShutdownTimeout time.Duration
	// ReadyTimeout bounds the checks of /readyz.
	ReadyTimeout time.Duration
	// MaxBody bounds a request's body, bytes.
	MaxBody int
	// TokenQuota is what one token may ask, LicenseQuota what all tokens of a license may, AddressQuota what one address may ask of the API without a token, and
	// SiteQuota what one address may ask of the rest: pages, health, metrics.
	TokenQuota   Quota
	LicenseQuota Quota
	AddressQuota Quota
	SiteQuota    Quota
	// LimitSync is how often processes tell each other of what was spent of quotas, through Deps.Limits.
	LimitSync time.Duration
	// CORSOrigins are the origins whose pages may use the API with a bearer token, like https://stats.example.org; none = none.
	CORSOrigins []string
	// AnswerTTL is how long figures are answered from memory to whoever asks the same for the same license; 0 = not at all.
	AnswerTTL time.Duration
	// StandingTTL is how long it is believed that a license may ask: a suspension counts after that; 0 = not at all.
	StandingTTL time.Duration
	// SlowRequest is from how long on a request stands in the log as slow; 0 = none does.
	SlowRequest time.Duration
	// MaxExports bounds the exports under way, MaxLicenseExports those of one license.
	MaxExports        int
	MaxLicenseExports int
	// LiveHeartbeat is how often a live stream without news says that it is there; LiveStall is how long a listener may
	// take nothing before it is dropped.
	LiveHeartbeat time.Duration
	LiveStall     time.Duration
	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// PublicURL is where browsers reach the server; https makes cookies travel encrypted only. Empty = as they come.
	PublicURL string
	// ContentSecurityPolicy is that of the dashboard's pages.
	ContentSecurityPolicy string
}

// Quota is how many requests fit into a window of time. It refills evenly.
type Quota struct {
	Requests int
	Window   time.Duration
}

// DefaultContentSecurityPolicy allows the dashboard its own files, and style attributes: charts write them into tooltips.
const DefaultContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"style-src-elem 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'"

// DefaultConfig lets a token ask ten times a second on average, which is a wall of dashboards, and an address as much
// as a public demo page needs.
func DefaultConfig() Config {
	return Config{
		Listen:                "127.0.0.1:8080",
		Version:               "dev",
		RequestTimeout:        30 * time.Second,
		ReadTimeout:           20 * time.Second,
		IdleTimeout:           2 * time.Minute,
		WriteTimeout:          time.Minute,
		ShutdownTimeout:       10 * time.Second,
		ReadyTimeout:          3 * time.Second,
		MaxBody:               1 << 20,
		TokenQuota:            Quota{Requests: 600, Window: time.Minute},
		LicenseQuota:          Quota{Requests: 6000, Window: time.Minute},
		AnswerTTL:             time.Second,
		StandingTTL:           time.Second,
		SlowRequest:           5 * time.Second,
		LimitSync:             250 * time.Millisecond,
		AddressQuota:          Quota{Requests: 240, Window: time.Minute},
		SiteQuota:             Quota{Requests: 2400, Window: time.Minute},
		MaxExports:            4,
		MaxLicenseExports:     2,
		LiveHeartbeat:         12 * time.Second,
		LiveStall:             20 * time.Second,
		ContentSecurityPolicy: DefaultContentSecurityPolicy,
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("api: %s must be positive", name))
		}
	}
	positive("RequestTimeout", c.RequestTimeout)
	positive("ReadTimeout", c.ReadTimeout)
	positive("IdleTimeout", c.IdleTimeout)
	positive("WriteTimeout", c.WriteTimeout)
	positive("ShutdownTimeout", c.ShutdownTimeout)
	positive("ReadyTimeout", c.ReadyTimeout)
	positive("LiveHeartbeat", c.LiveHeartbeat)
	positive("LiveStall", c.LiveStall)
	positive("LimitSync", c.LimitSync)
	for _, origin := range c.CORSOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) {
			faults = append(faults, fmt.Errorf("api: CORSOrigins has %q: want scheme://host[:port] in small letters, without a path", origin))
		}
	}
	if c.AnswerTTL < 0 || c.StandingTTL < 0 || c.AnswerTTL > 5*time.Second || c.StandingTTL > time.Minute {
		faults = append(faults, errors.New("api: AnswerTTL must be from 0 to 5s and StandingTTL from 0 to 1m"))
	}
	if c.SlowRequest < 0 {
		faults = append(faults, errors.New("api: SlowRequest must not be negative"))
	}
	quota := func(name string, q Quota) {
		if q.Requests < 1 || q.Window < time.Second {
			faults = append(faults, fmt.Errorf("api: %s must be at least 1 request in at least 1s", name))
		}
	}
	quota("TokenQuota", c.TokenQuota)
	quota("LicenseQuota", c.LicenseQuota)
	quota("AddressQuota", c.AddressQuota)
	quota("SiteQuota", c.SiteQuota)
	if c.MaxBody < 1 {
		faults = append(faults, errors.New("api: MaxBody must be positive"))
	}
	if c.MaxLicenseExports < 1 || c.MaxExports < c.MaxLicenseExports {
		faults = append(faults, errors.New("api: MaxLicenseExports must be at least 1 and MaxExports no less"))
	}
	return errors.Join(faults...)
}

// Queries answers analytics; *query.Engine does.
type Queries interface {
	Summary(context.Context, query.SummaryRequest) (*query.Summary, error)
	Timeseries(context.Context, query.TimeseriesRequest) (*query.Timeseries, error)
	IngestLog(context.Context, query.IngestRequest) (*query.IngestLog, error)
	MetricNames(context.Context, query.MetricsRequest) (*query.MetricNames, error)
	Retention(context.Context) (schema.Retention, error)
	Stored(context.Context, uuid.UUID) (*query.Stored, error)
}

// Registry knows the servers; *registry.Registry does.
type Registry interface {
	Select(context.Context, uuid.UUID, registry.Selector) ([]string, error)
	Groups(ctx context.Context, license uuid.UUID, by query.GroupBy, chosen []string) ([]query.Group, error)
	Book(context.Context, uuid.UUID) (*query.Book, error)
	List(context.Context, registry.ListRequest) (*registry.List, error)
	Find(ctx context.Context, license uuid.UUID, server string) (*registry.Server, error)
	Create(ctx context.Context, license uuid.UUID, server string, s registry.Settings) (registry.Settings, error)
	Change(ctx context.Context, license uuid.UUID, server string, change func(registry.Settings) (registry.Settings, error)) (registry.Settings, error)
}

// Events keeps marks; *events.Store does.
type Events interface {
	List(context.Context, events.Filter) (marks []schema.Event, next string, err error)
	Add(context.Context, schema.Event) (stored *schema.Event, made bool, err error)
	Delete(ctx context.Context, license, id uuid.UUID) error
}

// LicenseStatus says whether a license may ask.
type LicenseStatus int

// The states of a license.
const (
	LicenseUnknown LicenseStatus = iota
	LicenseActive
	LicenseSuspended
)

// Licenses knows the licenses. It is asked once a request.
type Licenses interface {
	Status(context.Context, uuid.UUID) (LicenseStatus, error)
}

// Quotas knows what licenses may publish.
type Quotas interface {
	Quotas(context.Context, uuid.UUID) (schema.Quotas, error)
}

// Readiness is one thing that /readyz waits for. The error's text is public: no credentials, no addresses of others.
type Readiness func(context.Context) (name string, err error)

// Deps are what the server works with. Queries, Registry, Events, Exporter, Keys, Licenses and Quotas are required.
type Deps struct {
	Queries   Queries
	Registry  Registry
	Events    Events
	Exporter  *encode.Exporter
	Keys      *auth.Keys
	Licenses  Licenses
	Quotas    Quotas
	Readiness []Readiness
	// ExportJobs keeps export jobs; nil serves none.
	ExportJobs *exportjob.Manager
	// Installations brings modules onto servers; nil serves none of its routes.
	Installations *installation.Manager
	// Live feeds live streams and is closed with the server; nil answers 503.
	Live *live.Hub
	// Gatherer is served at /metrics and Registerer gets the server's own metrics; nil is Prometheus' default.
	Gatherer   prometheus.Gatherer
	Registerer prometheus.Registerer
	// Platform is for platform administrators and keeps the audit log; nil serves none of their routes.
	Platform *platform.Service
	// Limits shares what is left of quotas with other processes; nil = each keeps to them alone.
	Limits LimitStore
	// Idempotency keeps answers by Idempotency-Key; nil = the header is ignored.
	Idempotency *idempotency.Store
	// DeadLetters are those of NATS; nil answers 503.
	DeadLetters *deadletter.Office
	// Erasures removes licenses and Archives writes all of one into a file; nil answers 503.
	Erasures *erasure.Worker
	Archives *archive.Archivist
	// Accounts are people's; nil serves none of their routes.
	Accounts *account.Service
	// Modules is the catalogue of modules and Purchases sells them; nil serves none of their routes.
	Modules   *module.Catalogue
	Purchases Purchases
	// EarlyAccess is what visitors may do before the launch; nil serves none of it.
	EarlyAccess *earlyaccess.Service
	// Static is the built dashboard, index.html at its root; nil serves none.
	Static fs.FS
	// Demo is the license that may be read without signing in; nil means none.
	Demo *uuid.UUID
	// Listener is served in place of one on Config.Listen, for an owner who had to know its address before; nil = none.
	Listener net.Listener
	Logger   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (d Deps) withDefaults() (Deps, error) {
	if d.Queries == nil || d.Registry == nil || d.Events == nil || d.Exporter == nil || d.Keys == nil || d.Licenses == nil || d.Quotas == nil {
		return d, errors.New("api: Queries, Registry, Events, Exporter, Keys, Licenses and Quotas are required")
	}
	if d.Gatherer == nil {
		d.Gatherer = prometheus.DefaultGatherer
	}
	if d.Registerer == nil {
		d.Registerer = prometheus.DefaultRegisterer
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d, nil
}
