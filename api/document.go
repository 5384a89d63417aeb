package api

import (
	"github.com/danielgtaylor/huma/v2"
)

// finish puts into the document what huma leaves out of it or says otherwise than we mean it, once all routes are there.
func finish(document *huma.OpenAPI) {
	document.Servers = []*huma.Server{{URL: "/", Description: "Whoever serves this document"}}
	// Huma's own error never leaves: problems do.
	for _, unused := range []string{"ErrorModel", "ErrorDetail"} {
		delete(document.Components.Schemas.Map(), unused)
	}
	neverNullArrays(document)
	openSchemas(document)
	describeManners(document)
	for _, item := range document.Paths {
		for _, operation := range operationsOf(item) {
			if operation.Security == nil {
				operation.Security = []map[string][]string{} // says that no token is needed, in place of nothing
			}
		}
	}
}

// openSchemas leaves out that objects may have further fields: it is so where nothing is said, and generated types would
// otherwise know any name.
func openSchemas(document *huma.OpenAPI) {
	for _, schema := range document.Components.Schemas.Map() {
		if open, is := schema.AdditionalProperties.(bool); is && open && len(schema.Properties) > 0 {
			schema.AdditionalProperties = nil
		}
	}
}

// neverNullArrays takes back what huma says of Go's slices: ours are never null, and clients need not check.
func neverNullArrays(document *huma.OpenAPI) {
	for _, schema := range document.Components.Schemas.Map() {
		for _, property := range schema.Properties {
			property.Nullable = property.Nullable && property.Type != huma.TypeArray
		}
	}
	for _, item := range document.Paths {
		for _, operation := range operationsOf(item) {
			for _, p := range operation.Parameters {
				p.Schema.Nullable = false
			}
		}
	}
}
