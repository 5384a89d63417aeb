package api

import "corrosion/api/auth"

// demoNetworkRoutes are what the pages read beside figures, of a license and of the demo.
func demoNetworkRoutes() map[string]tenantRoute {
	return map[string]tenantRoute{
		"GET /api/analytics/metrics":               {call: "/api/analytics/metrics", least: auth.Viewer},
		"GET /api/public/demo/servers":             {call: "/api/public/demo/servers", public: true},
		"GET /api/public/demo/servers/{server_id}": {call: "/api/public/demo/servers/demo", public: true},
		"GET /api/public/demo/events":              {call: "/api/public/demo/events", public: true},
		"GET /api/public/demo/metrics":             {call: "/api/public/demo/metrics", public: true},
	}
}
