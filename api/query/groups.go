package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"corrosion/schema"
)

const (
	// MaxSelected bounds how many servers a tag or a group may select; beyond it a request is refused.
	MaxSelected = 20_000
	// MaxGroups bounds the series of one metric when they are split by tag or group.
	MaxGroups = 200
	// MaxTagValue bounds a tag's value, characters.
	MaxTagValue = 128
	// MaxGroupName bounds a group's name, characters.
	MaxGroupName = 64
)

// Tag is one key and value of a server.
type Tag struct{ Key, Value string }

// Group is servers that make one series.
type Group struct {
	// Name is the tag's value or the group's name.
	Name    string
	Servers []string
}

// Book is what a summary must know of what is written about a license's servers.
type Book struct {
	// Registered are the servers with a row that are not archived, Archived those that are.
	Registered, Archived []string
	// Expected says how far apart the samples of some servers are meant to be.
	Expected map[string]time.Duration
}

// known are the parameters that say which servers are known beside those that were heard.
func (b *Book) known() []any {
	if b == nil {
		b = &Book{}
	}
	return []any{clickhouse.Named("registered", texts(b.Registered)), clickhouse.Named("archived", texts(b.Archived))}
}

// texts is never nil: the driver would send NULL.
func texts(list []string) []string { return append([]string{}, list...) }

// arguments are the parameters that judge servers.
func (b *Book) arguments() []any {
	if b == nil {
		return nil
	}
	args := []any{}
	if len(b.Archived) > 0 {
		args = append(args, clickhouse.Named("archived", b.Archived))
	}
	if len(b.Expected) > 0 {
		servers := slices.Sorted(maps.Keys(b.Expected))
		paces := make([]uint32, len(servers))
		for i, server := range servers {
			paces[i] = uint32(b.Expected[server] / time.Second)
		}
		args = append(args, clickhouse.Named("paced", servers), clickhouse.Named("paces", paces))
	}
	return args
}

// Tag is the key of a grouping by tag.
func (g GroupBy) Tag() (key string, tagged bool) { return strings.CutPrefix(string(g), "tag:") }

// chosen tells whether the scope is less than the whole license.
func (s Scope) chosen() bool { return s.Selected || len(s.Servers) > 0 }

func (s Scope) check() (faults []Fault) {
	if !s.Selected {
		_, faults = ParseServers(s.Servers)
		return faults
	}
	if len(s.Servers) > MaxSelected {
		return []Fault{{"query.tag", fmt.Sprintf("selects %d servers; at most %d are allowed", len(s.Servers), MaxSelected), len(s.Servers)}}
	}
	for _, id := range s.Servers {
		if !schema.ValidServerID(id) {
			faults = append(faults, Fault{"query.tag", "selects what is not a server's id", id})
		}
	}
	return faults
}

// ValidTagKey tells whether key may name a tag: [A-Za-z0-9_.-]{1,64}.
func ValidTagKey(key string) bool {
	if len(key) == 0 || len(key) > 64 {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("_.-", r)
	})
}

// ValidLabel tells whether text may be a tag's value or a group's name: up to most characters, none of them a control,
// and no blanks around it.
func ValidLabel(text string, most int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && strings.TrimSpace(text) == text &&
		!strings.ContainsFunc(text, unicode.IsControl)
}

// ParseTags reads key:value pairs; repeated ones count once.
func ParseTags(texts []string) (tags []Tag, faults []Fault) {
	list, faults := parseList("query.tag", texts, MaxServers, func(text string) string {
		key, value, found := strings.Cut(text, ":")
		if !found || !ValidTagKey(key) || !ValidLabel(value, MaxTagValue) {
			return "is not key:value, with a key of [A-Za-z0-9_.-]{1,64} and a value of at most 128 characters"
		}
		return ""
	})
	for _, text := range list {
		key, value, _ := strings.Cut(text, ":")
		tags = append(tags, Tag{key, value})
	}
	return tags, faults
}

// ParseGroups reads names of groups; repeated ones count once.
func ParseGroups(texts []string) ([]string, []Fault) {
	return parseList("query.group", texts, MaxServers, func(text string) string {
		if ValidLabel(text, MaxGroupName) {
			return ""
		}
		return "is not a group's name: at most 64 characters, without blanks around it"
	})
}

// split tells whether the answer has a series for each of Groups.
func (r TimeseriesRequest) split() bool {
	_, tagged := r.GroupBy.Tag()
	return tagged || r.GroupBy == GroupGroups
}

// grouped answers with what a request for each group's servers by themselves would: additive metrics are totals within
// the group, and a server of several groups counts in each. All parts are planned at one moment, so their buckets agree.
func (e *Engine) grouped(ctx context.Context, r TimeseriesRequest, retention schema.Retention) (*Timeseries, error) {
	now := e.now()
	if len(r.Groups) > MaxGroups {
		message := fmt.Sprintf("makes %d series of each metric; at most %d are allowed: select fewer servers", len(r.Groups), MaxGroups)
		return nil, &Faults{Code: CodeTooManyPoints, List: []Fault{{"query.group_by", message, len(r.Groups)}}}
	}
	frozen := New(e.run.conn, e.cfg, func() time.Time { return now })
	frozen.retention, frozen.retentionAt = retention, now
	groups := r.Groups
	if len(groups) == 0 {
		groups = []Group{{}} // for the buckets; its series are left out
	}
	answers := make([]*Timeseries, len(groups))
	var check sync.Once
	var tooMany error
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(e.cfg.Concurrency)
	for i, g := range groups {
		work.Go(func() error {
			part := r
			part.GroupBy, part.Groups, part.Fill = GroupNone, nil, FillNull
			part.Servers, part.Selected = g.Servers, true
			var err error
			if answers[i], err = frozen.Timeseries(workCtx, part); err != nil {
				return err
			}
			check.Do(func() { tooMany = checkSize(len(answers[i].Timestamps), len(groups), len(r.Metrics), e.cfg) })
			return tooMany
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	answer := joinGroups(r, answers)
	fillSeries(answer, r.withDefaults().Fill)
	return answer, nil
}

// joinGroups makes one answer of those of the groups.
func joinGroups(r TimeseriesRequest, parts []*Timeseries) *Timeseries {
	answer := *parts[0]
	answer.Series, answer.Partial, answer.Timestamps = []Series{}, slices.Clone(answer.Partial), slices.Clone(answer.Timestamps)
	_, tagged := r.GroupBy.Tag()
	for i := range r.Groups {
		if parts[i].Exact != nil {
			answer.Exact = parts[i].Exact
		}
		for _, s := range parts[i].Series {
			if tagged {
				s.Tag = &r.Groups[i].Name
			} else {
				s.Group = &r.Groups[i].Name
			}
			answer.Series = append(answer.Series, s)
		}
	}
	return &answer
}
