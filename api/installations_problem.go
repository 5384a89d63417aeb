package api

import (
	"errors"

	"corrosion/api/account"
	"corrosion/api/installation"
)

// installationKinds are the problems of installations, rollouts and agents.
func installationKinds() []problemKind {
	return []problemKind{
		{"module-needs-others", 409, "The module needs others that the license does not own", "errors[] names them: buy them first. They are installed by themselves."},
		{"installation-busy", 409, "An installation of the module is under way on this server", "Wait for it, or cancel it by DELETE."},
		{"installed-already", 409, "This version is installed on the server", "Nothing is left to do."},
		{"module-needed", 409, "Another module on the server needs this one", "Uninstall that one first."},
		{"status-forbids", 409, "It is not in a status in which this can be done", "Read it again: its status says what can."},
		{"no-version-before", 409, "There is no version before", "Only what replaced another version can be rolled back; DELETE uninstalls."},
		{"rollout-open", 409, "Another rollout of the module is under way", "Wait for it, or cancel it."},
		{"agent-exists", 409, "The server's agent is enrolled", "Revoke it first by DELETE; its credentials are shown only once."},
		{"guard-unavailable", 409, "Guards cannot be watched here", "This process has no access to the stats: ask the operator, or leave the guard out."},
	}
}

func installationSentinels() []sentinel {
	return []sentinel{
		{installation.ErrNotFound, "not-found"},
		{installation.ErrNoModule, "not-found"},
		{installation.ErrNoRollout, "not-found"},
		{installation.ErrNotOwned, "not-owned"},
		{installation.ErrBusy, "installation-busy"},
		{installation.ErrInstalled, "installed-already"},
		{installation.ErrNeeded, "module-needed"},
		{installation.ErrIllegal, "status-forbids"},
		{installation.ErrNoBefore, "no-version-before"},
		{installation.ErrKeyReused, "idempotency-key-reused"},
		{installation.ErrOverRange, "too-large"},
		{installation.ErrRolloutOpen, "rollout-open"},
		{installation.ErrNoStats, "guard-unavailable"},
		{account.ErrAgentExists, "agent-exists"},
		{account.ErrNoAgent, "not-found"},
	}
}

// explainNeeds names the modules that are missing.
func explainNeeds(err error) error {
	var needs *installation.NeedsError
	if !errors.As(err, &needs) {
		return err
	}
	p := kindProblem("module-needs-others")
	for _, module := range needs.Modules {
		p.Errors = append(p.Errors, ProblemError{Location: "path.slug", Message: "needs the module " + module + ", which the license does not own"})
	}
	return p
}
