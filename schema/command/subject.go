package command

import (
	"strings"

	"github.com/google/uuid"
)

// Names of the stream of commands and of its subjects. The agents' own subjects cannot be a stream's: their patterns
// overlap with those of samples, and a consumer that delivers onto its stream's subject is refused as a cycle.
const (
	Stream         = "AGENT_COMMANDS"
	StreamSubjects = "corrosion_cmd.*.*"
	StatusSubjects = "corrosion.*.*.status"
)

// Subject is the subject of commands to the agent of one server; only the platform publishes on it.
func Subject(license uuid.UUID, serverID string) string {
	return "corrosion." + license.String() + "." + serverID + ".cmd"
}

// StatusSubject is the subject of that agent's answers.
func StatusSubject(license uuid.UUID, serverID string) string {
	return "corrosion." + license.String() + "." + serverID + ".status"
}

// StoredSubject is where commands to that agent wait in the stream.
func StoredSubject(license uuid.UUID, serverID string) string {
	return "corrosion_cmd." + license.String() + "." + serverID
}

// Consumer is the durable consumer that carries them to Subject.
func Consumer(license uuid.UUID, serverID string) string {
	return "agent-" + license.String() + "-" + serverID
}

// ParseStatusSubject splits corrosion.<license>.<server>.status; ok is false for what is none, such as the samples of a
// server that is called status.
func ParseStatusSubject(subject string) (license uuid.UUID, serverID string, ok bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 || parts[0] != "corrosion" || parts[3] != "status" {
		return uuid.Nil, "", false
	}
	switch parts[2] {
	case "", "stats", "events", "host", "reply":
		return uuid.Nil, "", false
	}
	license, err := uuid.Parse(parts[1])
	return license, parts[2], err == nil && license.String() == parts[1]
}
