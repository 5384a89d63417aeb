package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// State says whether a server is heard.
type State string

// The states of a server.
const (
	Online State = "online"
	Silent State = "silent"
)

// SilentAfter is how long a server may say nothing before it is silent; one whose samples are meant to be further apart
// may miss one of them.
const SilentAfter = 5 * time.Minute

// Server is one server with what is written of it and what it last measured.
type Server struct {
	ServerID string `json:"server_id"`
	Settings
	// Registered says that something is written of it; the others are known by their samples alone.
	Registered bool       `json:"registered"`
	State      State      `json:"state" enum:"online,silent"`
	FirstSeen  *time.Time `json:"first_seen"`
	LastSeen   *time.Time `json:"last_seen"`
	// Latest are its measured fields as they were last measured in its last two hours with samples.
	Latest    map[string]float64 `json:"latest"`
	Map       *string            `json:"map"`
	Version   *string            `json:"version"`
	Sparkline Sparkline          `json:"sparkline"`
}

// Sparkline are hourly means of players; the last one is the running hour, and an hour without samples is null.
type Sparkline struct {
	Metric string     `json:"metric"`
	From   time.Time  `json:"from"`
	Step   string     `json:"step"`
	Values []*float64 `json:"values"`
}

// ListRequest asks for a page of servers.
type ListRequest struct {
	License uuid.UUID
	Selector
	// Search is looked for, whatever its case, in ids, names and values of tags.
	Search string
	// State is empty for both.
	State State
	// Archived asks for the archived servers instead of the others.
	Archived bool
	// Sort is one of SortKeys, with a minus before it for descending; empty is server_id.
	Sort string
	// Limit is how many servers a page has; Cursor is where it begins, as the page before said.
	Limit  int
	Cursor string
}

// List is a page of servers.
type List struct {
	Servers []*Server `json:"servers"`
	// Total is how many servers there are on all pages.
	Total int `json:"total"`
	// Next is the cursor of the next page; null on the last one.
	Next *string `json:"next"`
}

// ErrCursor says that a cursor is not of this list.
var ErrCursor = errors.New("the cursor is not of this list")

// SortKeys are what servers may be sorted by.
func SortKeys() []string {
	return append([]string{"server_id", "name", "state", "first_seen", "last_seen"}, latestFields()...)
}

// place is where a server stands in the order: what is not there comes last, whatever the direction, and ids settle ties.
type place struct {
	Sort   string   `json:"s"`
	Text   string   `json:"t,omitempty"`
	Number *float64 `json:"n,omitempty"`
	ID     string   `json:"i"`
}

func (p place) missing() bool { return p.Text == "" && p.Number == nil }

func (p place) compare(other place) int {
	if p.missing() || other.missing() {
		if p.missing() == other.missing() {
			return cmp.Compare(p.ID, other.ID)
		}
		if p.missing() {
			return 1
		}
		return -1
	}
	order := cmp.Compare(p.Text, other.Text)
	if p.Number != nil && other.Number != nil {
		order = cmp.Compare(*p.Number, *other.Number)
	}
	if strings.HasPrefix(p.Sort, "-") {
		order = -order
	}
	return cmp.Or(order, cmp.Compare(p.ID, other.ID))
}

// List joins what is written with what was heard, and fills in a page.
func (r *Registry) List(ctx context.Context, q ListRequest) (*List, error) {
	if q.Sort == "" {
		q.Sort = "server_id"
	}
	after, err := readCursor(q)
	if err != nil {
		return nil, err
	}
	all, err := r.known(ctx, q.License)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s *Server) bool { return !q.takes(s) })
	places, err := r.order(ctx, q, all)
	if err != nil {
		return nil, err
	}
	list := &List{Servers: []*Server{}, Total: len(all)}
	begin := 0
	if after != nil {
		begin, _ = slices.BinarySearchFunc(all, *after, func(s *Server, p place) int {
			if places[s].compare(p) <= 0 {
				return -1
			}
			return 1
		})
	}
	end := min(begin+q.Limit, len(all))
	list.Servers = append(list.Servers, all[begin:end]...)
	if end < len(all) && end > begin {
		next := places[all[end-1]].cursor()
		list.Next = &next
	}
	return list, r.fill(ctx, q.License, list.Servers)
}

// Find reads one server; ErrUnknown where the license has none such.
func (r *Registry) Find(ctx context.Context, license uuid.UUID, id string) (*Server, error) {
	settings, registered, err := r.Settings(ctx, license, id)
	if err != nil {
		return nil, err
	}
	heard, err := r.heard(ctx, license, []string{id})
	if err != nil {
		return nil, err
	}
	at, was := heard[id]
	if !registered && !was {
		return nil, ErrUnknown
	}
	s := r.server(id, settings, registered, at)
	return s, r.fill(ctx, license, []*Server{s})
}

// known are all servers of a license, in order of ids.
func (r *Registry) known(ctx context.Context, license uuid.UUID) (all []*Server, err error) {
	rows, err := r.queries.ListServers(ctx, license)
	if err != nil {
		return nil, stored("list servers", err)
	}
	heard, err := r.heard(ctx, license, nil)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		settings, err := settingsOf(row)
		if err != nil {
			return nil, err
		}
		all = append(all, r.server(row.ServerID, settings, true, heard[row.ServerID]))
		delete(heard, row.ServerID)
	}
	for id, at := range heard {
		all = append(all, r.server(id, Settings{}.normal(), false, at))
	}
	return all, nil
}

func (r *Registry) server(id string, settings Settings, registered bool, at span) *Server {
	s := &Server{ServerID: id, Settings: settings, Registered: registered, State: Silent, Latest: map[string]float64{}}
	if at.last.IsZero() {
		return s
	}
	s.FirstSeen, s.LastSeen = &at.first, &at.last
	patience := SilentAfter
	if settings.ExpectedIntervalS != nil {
		patience = max(patience, 2*time.Duration(*settings.ExpectedIntervalS)*time.Second)
	}
	if r.now().Sub(at.last) <= patience {
		s.State = Online
	}
	return s
}

// takes tells whether a server belongs to the list.
func (q *ListRequest) takes(s *Server) bool {
	if (s.ArchivedAt != nil) != q.Archived || q.State != "" && s.State != q.State {
		return false
	}
	wanted := map[string]bool{} // by key: found one of its values
	for _, tag := range q.Tags {
		wanted[tag.Key] = wanted[tag.Key] || s.Tags[tag.Key] == tag.Value
	}
	for _, found := range wanted {
		if !found {
			return false
		}
	}
	inGroup := func(g string) bool { return slices.Contains(s.Groups, g) }
	return (len(q.Groups) == 0 || slices.ContainsFunc(q.Groups, inGroup)) && s.mentions(strings.ToLower(q.Search))
}

func (s *Server) mentions(word string) bool {
	if word == "" || strings.Contains(strings.ToLower(s.ServerID), word) || strings.Contains(strings.ToLower(s.Name), word) {
		return true
	}
	for _, value := range s.Tags {
		if strings.Contains(strings.ToLower(value), word) {
			return true
		}
	}
	return false
}

// order sorts servers and gives each one's place.
func (r *Registry) order(ctx context.Context, q ListRequest, all []*Server) (map[*Server]place, error) {
	key := strings.TrimPrefix(q.Sort, "-")
	var values map[string]float64
	if _, measured := schema.FieldByName(key); measured {
		var err error
		if values, err = r.values(ctx, q.License, key); err != nil {
			return nil, err
		}
	}
	places := make(map[*Server]place, len(all))
	for _, s := range all {
		p := place{Sort: q.Sort, ID: s.ServerID}
		switch key {
		case "server_id":
			p.Text = s.ServerID
		case "name":
			p.Text = strings.ToLower(s.Name)
		case "state":
			p.Text = string(s.State)
		case "first_seen":
			p.Number = millis(s.FirstSeen)
		case "last_seen":
			p.Number = millis(s.LastSeen)
		default:
			if v, measured := values[s.ServerID]; measured {
				p.Number = &v
			}
		}
		places[s] = p
	}
	slices.SortFunc(all, func(a, b *Server) int { return places[a].compare(places[b]) })
	return places, nil
}

func millis(t *time.Time) *float64 {
	if t == nil {
		return nil
	}
	ms := float64(t.UnixMilli())
	return &ms
}

func (p place) cursor() string {
	document, _ := json.Marshal(p) // plain values
	return base64.RawURLEncoding.EncodeToString(document)
}

// maxCursor bounds a cursor, bytes.
const maxCursor = 2048

func readCursor(q ListRequest) (*place, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	document, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	var p place
	if len(q.Cursor) > maxCursor || err != nil || json.Unmarshal(document, &p) != nil || p.Sort != q.Sort || !schema.ValidServerID(p.ID) {
		return nil, ErrCursor
	}
	return &p, nil
}
