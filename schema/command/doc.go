// Package command has the words between the platform and companion agents: subjects, commands and how they are signed,
// statuses and heartbeats. It imports nothing heavy, so that the agent stays a small static binary.
//
// A command is JSON. Its bytes as sent are what is signed, with a prefix of their own, so that there is one canonical form
// and no second reading of it. The signatures travel in the header Corrosion-Signature, one for each key that the platform
// has: an agent takes a command if a key that it was enrolled with made one of them. License, server, id, attempt and
// expiry are within what is signed.
package command
