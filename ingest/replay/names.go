package replay

import (
	"fmt"
	"hash/fnv"
	"strings"

	"corrosion/schema"
)

// maxServers bounds the server names that are remembered.
const maxServers = 1_000_000

// servers cleans server ids and notices when two become one.
type servers struct {
	cleaned map[string]string // by source name
	owner   map[string]string // source name by cleaned id
	report  *Report
}

func newServers(r *Report) *servers {
	return &servers{cleaned: map[string]string{}, owner: map[string]string{}, report: r}
}

// clean is the id that name may have; "" for an empty name.
func (s *servers) clean(name string) string {
	if id, ok := s.cleaned[name]; ok {
		return id
	}
	if len(s.cleaned) >= maxServers {
		clear(s.cleaned)
		clear(s.owner)
	}
	name = strings.Clone(name)
	id := cleanServerID(name)
	s.cleaned[name] = id
	if id == "" {
		return ""
	}
	if id != name {
		s.report.renamedServer(name, id)
	}
	if other, taken := s.owner[id]; taken && other != name {
		s.report.collided(other, name, id)
	} else {
		s.owner[id] = name
	}
	return id
}

// cleanServerID makes name one that a server may have: forbidden characters become '_', what is longer than 64 ends in
// eight hex digits of its hash, words that subjects use get a '_'.
func cleanServerID(name string) string {
	name = strings.TrimSpace(name)
	id := strings.Map(func(r rune) rune {
		if r < 0x80 && schema.ValidServerID(string(r)) {
			return r
		}
		return '_'
	}, name)
	id = shorten(id, name, schema.MaxServerIDLen)
	if id != "" && !schema.ValidServerID(id) {
		id += "_"
	}
	return id
}

// cleanMetricName does the same for a metric's name; an empty one becomes "_".
func cleanMetricName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 0x80 && schema.ValidMetricName(string(r)) {
			return r
		}
		return '_'
	}, name)
	if clean == "" {
		return "_"
	}
	return shorten(clean, name, schema.MaxMetricNameLen)
}

// shorten cuts clean to limit bytes, the last nine being the hash of what it was made from.
func shorten(clean, source string, limit int) string {
	if len(clean) <= limit {
		return clean
	}
	h := fnv.New32a()
	h.Write([]byte(source))
	return fmt.Sprintf("%s_%08x", clean[:limit-9], h.Sum32())
}
