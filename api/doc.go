// Package api answers HTTP: analytics as JSON and files, their OpenAPI description, health, metrics and the dashboard's
// own files.
//
// A request passes observe (id, log, metrics, errors), guard (method, query), limit (who asks, how often) and, under
// /api/, requireToken, before it reaches one short handler a noun. Handlers return errors; problem.go alone turns them
// into answers. The license always comes from the token.
package api
