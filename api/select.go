package api

import (
	"context"
	"fmt"
	"slices"

	"corrosion/api/query"
	"corrosion/api/registry"
)

// selector reads what servers are chosen by beside their ids.
func (in *inputs) selector() registry.Selector {
	tags, faults := query.ParseTags(in.values["tag"])
	in.add(faults...)
	groups, faults := query.ParseGroups(in.values["group"])
	in.add(faults...)
	return registry.Selector{Tags: tags, Groups: groups}
}

// narrow leaves of a scope what the selector chooses.
func (s *Server) narrow(ctx context.Context, scope query.Scope, selector registry.Selector) (query.Scope, error) {
	if selector.Empty() {
		return scope, nil
	}
	selected, err := s.deps.Registry.Select(ctx, scope.License, selector)
	if err != nil {
		return scope, err
	}
	if len(selected) > query.MaxSelected {
		return scope, &query.Faults{Code: query.CodeInvalid, List: []query.Fault{{
			Location: "query.tag", Message: fmt.Sprintf("selects more than %d servers", query.MaxSelected),
		}}}
	}
	if len(scope.Servers) > 0 {
		named := scope.Servers
		selected = slices.DeleteFunc(selected, func(id string) bool { return !slices.Contains(named, id) })
	}
	scope.Servers, scope.Selected = selected, true
	return scope, nil
}

// groups are the series of a request that is split by a tag or by groups; nil for others.
func (s *Server) groups(ctx context.Context, r query.TimeseriesRequest) ([]query.Group, error) {
	if _, tagged := r.GroupBy.Tag(); !tagged && r.GroupBy != query.GroupGroups {
		return nil, nil
	}
	var chosen []string
	if r.Selected || len(r.Servers) > 0 {
		chosen = append([]string{}, r.Servers...)
	}
	return s.deps.Registry.Groups(ctx, r.License, r.GroupBy, chosen)
}
