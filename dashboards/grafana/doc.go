// Package grafana holds no code: beside it lie what a stock Grafana loads (provisioning/, dashboards/), and the tests
// that run every query of the dashboards on a real ClickHouse.
package grafana
