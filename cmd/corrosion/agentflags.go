package main

import (
	"path/filepath"

	"corrosion/schema/connect"
)

// agentFlags are the settings of companion agents.
type agentFlags struct {
	AgentKeyFile string `name:"agent-key-file" env:"CORROSION_AGENT_KEY_FILE" help:"Key that signs commands to agents; unset = agent.key in the data directory, made on first start. All API processes share it."`
	AgentNATSURL string `name:"agent-nats-url" env:"CORROSION_AGENT_NATS_URL" help:"Where agents reach NATS; unset = host and port of the platform's own."`
}

func (f agentFlags) keyFile(data string) string {
	if f.AgentKeyFile != "" {
		return f.AgentKeyFile
	}
	return filepath.Join(data, "agent.key")
}

// natsURL is where agents reach NATS: no user, for each has its own.
func (f agentFlags) natsURL(platform string) (string, error) {
	if f.AgentNATSURL != "" {
		return f.AgentNATSURL, nil
	}
	if platform == "" {
		return "", nil
	}
	return connect.Public(platform)
}
