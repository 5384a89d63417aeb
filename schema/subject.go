package schema

import (
	"strings"

	"github.com/google/uuid"
)

// Names of JetStream streams and subjects. They are promises to publishers and operators.
const (
	StreamStats         = "STATS"
	StreamStatsByServer = "STATS_BY_SERVER"
	StreamDead          = "STATS_DEAD"
	StreamEvents        = "EVENTS"

	SubjectStats         = "corrosion.*.stats"
	SubjectStatsByServer = "corrosion.*.stats.*"
	SubjectDead          = "corrosion_dead.*"
	SubjectEvents        = "corrosion.*.events"
)

// StatsSubject is the subject that a license's samples are published on.
func StatsSubject(license uuid.UUID) string { return "corrosion." + license.String() + ".stats" }

// ServerStatsSubject is the subject of one server's samples; it spreads a large license over all partitions.
func ServerStatsSubject(license uuid.UUID, serverID string) string {
	return StatsSubject(license) + "." + serverID
}

// DeadSubject is the subject of a license's dead letters.
func DeadSubject(license string) string { return "corrosion_dead." + license }

// ParseStatsSubject splits corrosion.<license>.stats[.<server>]. license is the token as published, whether or not it
// is a UUID; ok is false when the shape is another.
func ParseStatsSubject(subject string) (license, serverID string, ok bool) {
	rest, found := strings.CutPrefix(subject, "corrosion.")
	if !found {
		return "", "", false
	}
	license, rest, found = strings.Cut(rest, ".")
	if !found || license == "" {
		return "", "", false
	}
	if rest == "stats" {
		return license, "", true
	}
	serverID, found = strings.CutPrefix(rest, "stats.")
	if !found || serverID == "" || strings.Contains(serverID, ".") {
		return "", "", false
	}
	return license, serverID, true
}

// EventsSubject is the subject of a license's marks: wipes, restarts, deploys, notes.
func EventsSubject(license uuid.UUID) string { return "corrosion." + license.String() + ".events" }

// ParseEventsSubject is the license of corrosion.<license>.events as published, whether or not it is a UUID; ok is
// false when the shape is another.
func ParseEventsSubject(subject string) (license string, ok bool) {
	rest, begins := strings.CutPrefix(subject, "corrosion.")
	license, ends := strings.CutSuffix(rest, ".events")
	return license, begins && ends && license != "" && !strings.Contains(license, ".")
}

// ReplyPrefix is the inbox prefix of a license's clients; JetStream's acknowledgements come to it.
func ReplyPrefix(license uuid.UUID) string { return "corrosion." + license.String() + ".reply" }

// ReplySubjects are all subjects below ReplyPrefix.
func ReplySubjects(license uuid.UUID) string { return ReplyPrefix(license) + ".>" }
