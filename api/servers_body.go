package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"corrosion/api/query"
	"corrosion/api/registry"
)

// settingFields are the fields of a body that says something about a server.
func settingFields() []string {
	return []string{"name", "tags", "groups", "notes", "expected_interval_s"}
}

// settings are those that the body makes of before: a whole body leaves nothing but the time of archiving; otherwise what
// is left out stays, and null empties.
func (b *body) settings(before registry.Settings, whole bool) registry.Settings {
	after := before
	if whole {
		after = registry.Settings{ArchivedAt: before.ArchivedAt}
	}
	if b.has("name") {
		after.Name = b.text("name", registry.MaxName, false)
	}
	if b.has("notes") {
		after.Notes = b.text("notes", registry.MaxNotes, true)
	}
	if b.has("expected_interval_s") {
		after.ExpectedIntervalS = b.interval("expected_interval_s")
	}
	if b.has("groups") {
		after.Groups = b.groups("groups")
	}
	if b.has("tags") {
		after.Tags = b.tags("tags", after.Tags)
	}
	return after
}

func (b *body) interval(name string) *int {
	var seconds int
	most := int(registry.MaxInterval / time.Second)
	if !b.decode(name, &seconds, "a whole number of seconds") {
		return nil
	}
	if seconds < 1 || seconds > most {
		b.fault(name, fmt.Sprintf("must be from 1 to %d seconds", most), seconds)
		return nil
	}
	return &seconds
}

func (b *body) groups(name string) []string {
	var groups []string
	if !b.decode(name, &groups, "an array of strings") {
		return nil
	}
	if len(groups) > registry.MaxGroups {
		b.fault(name, fmt.Sprintf("has %d groups; at most %d are allowed", len(groups), registry.MaxGroups), len(groups))
		return nil
	}
	for i, group := range groups {
		if !query.ValidLabel(group, query.MaxGroupName) {
			b.fault(fmt.Sprintf("%s[%d]", name, i), "is not a group's name: 1 to 64 characters, without blanks around it", clip(group))
		}
	}
	return groups
}

// tags puts those given over before's; null takes one away, and a null for all of them all.
func (b *body) tags(name string, before map[string]string) map[string]string {
	if b.isNull(name) {
		return nil
	}
	var given map[string]*string
	if !b.decode(name, &given, "an object of strings") {
		return before
	}
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value := given[key]
		switch {
		case !query.ValidTagKey(key):
			b.fault(name+"."+clip(key), "is not a tag's key: [A-Za-z0-9_.-]{1,64}", nil)
		case value == nil:
			delete(after, key)
		case !query.ValidLabel(*value, query.MaxTagValue):
			b.fault(name+"."+key, "is not a tag's value: 1 to 128 characters, without blanks around it", clip(*value))
		default:
			after[key] = *value
		}
	}
	if len(after) > registry.MaxTags {
		b.fault(name, fmt.Sprintf("would be %d tags; at most %d are allowed", len(after), registry.MaxTags), json.Number(fmt.Sprint(len(after))))
	}
	return after
}
