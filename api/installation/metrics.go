package installation

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what is sent and heard.
type metrics struct {
	commands *prometheus.CounterVec
	messages *prometheus.CounterVec
	changes  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "corrosion", Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		commands: counter("agent_commands_total", "Commands to agents: sent, again (the stream had it), overtaken, or failed.", "result"),
		messages: counter("agent_messages_total", "What agents said: status, heartbeat, late, or bad; dropped where too much waits.", "result"),
		changes:  counter("installation_changes_total", "Changes of installations by the status that they led to.", "status"),
	}
	for _, c := range []prometheus.Collector{m.commands, m.messages, m.changes} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of installations: %w", err)
		}
	}
	return m, nil
}
