package natsauth

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/command"
)

// Kinds of NATS users.
const (
	KindServer = "server"
	KindAgent  = "agent"
)

// What an agent may answer to one command: progress and the final acknowledgement.
const (
	agentAnswers   = 64
	agentAnswerFor = 15 * time.Minute
)

// Rights are all that a user may do. Responses is how many answers it may send
// to the reply subject of a message that it received, within ResponseFor; 0 =
// none.
type Rights struct {
	Publish, Subscribe []string
	Responses          int
	ResponseFor        time.Duration
}

// ServerRights lets a license's game servers publish and hear their
// acknowledgements, nothing else.
func ServerRights(license uuid.UUID) Rights {
	return Rights{
		Publish:   []string{schema.StatsSubject(license), schema.ServerStatsSubject(license, "*"), schema.EventsSubject(license)},
		Subscribe: []string{schema.ReplySubjects(license)},
	}
}

// AgentRights lets the agent of one server hear its commands, answer them and
// publish its status, nothing else.
func AgentRights(license uuid.UUID, serverID string) Rights {
	return Rights{
		Publish:   []string{command.StatusSubject(license, serverID)},
		Subscribe: []string{command.Subject(license, serverID)},
		Responses: agentAnswers, ResponseFor: agentAnswerFor,
	}
}

// connectionName is what a live connection is called: its user and the
// generation of the password that it showed.
func connectionName(user string, generation int64) string {
	return user + "#" + strconv.FormatInt(generation, 10)
}

// parseConnectionName undoes connectionName; ok is false for connections that a
// Gate has not admitted.
func parseConnectionName(name string) (user string, generation int64, ok bool) {
	user, number, found := strings.Cut(name, "#")
	if !found || user == "" {
		return "", 0, false
	}
	generation, err := strconv.ParseInt(number, 10, 64)
	return user, generation, err == nil
}
