package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// page is a finished HTML page and the policy that allows it exactly its own style.
type page struct {
	body   []byte
	policy string
}

type docsData struct {
	Info       *huma.Info
	Style      template.CSS
	Operations []docsOperation
	Problems   []problemKind
	Schemas    []docsSchema
}

type docsOperation struct {
	*huma.Operation
	Public bool
	Answer string
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct{ Name, Type, Text string }

// renderDocs is the reference as one static page: it needs no script and nothing from elsewhere.
func renderDocs(document *huma.OpenAPI) (page, error) {
	t, err := template.New("docs").Funcs(template.FuncMap{"typeName": typeName}).Parse(docsTemplate)
	if err != nil {
		return page{}, fmt.Errorf("parse reference: %w", err)
	}
	data := docsData{
		Info: document.Info, Style: template.CSS(docsStyle), Problems: problemKinds(),
		Operations: docsOperations(document), Schemas: docsSchemas(document),
	}
	var body bytes.Buffer
	if err := t.Execute(&body, data); err != nil {
		return page{}, fmt.Errorf("write reference: %w", err)
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return page{body: body.Bytes(), policy: policy}, nil
}

func docsOperations(document *huma.OpenAPI) []docsOperation {
	var described []docsOperation
	for _, item := range document.Paths {
		for _, op := range operationsOf(item) {
			described = append(described, docsOperation{op, len(op.Security) == 0, answerOf(op)})
		}
	}
	sort.Slice(described, func(i, j int) bool {
		a, b := described[i], described[j]
		return a.Path < b.Path || a.Path == b.Path && a.Method < b.Method
	})
	return described
}

// answerOf names the media types and the schema of the good answer.
func answerOf(op *huma.Operation) string {
	var parts []string
	for status, response := range op.Responses {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		for media, content := range response.Content {
			parts = append(parts, strings.TrimSpace(media+" "+typeName(content.Schema)))
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

func docsSchemas(document *huma.OpenAPI) []docsSchema {
	var schemas []docsSchema
	for name, s := range document.Components.Schemas.Map() {
		entry := docsSchema{Name: name}
		for field, property := range s.Properties {
			entry.Fields = append(entry.Fields, docsField{field, typeName(property), property.Description})
		}
		sort.Slice(entry.Fields, func(i, j int) bool { return entry.Fields[i].Name < entry.Fields[j].Name })
		schemas = append(schemas, entry)
	}
	sort.Slice(schemas, func(i, j int) bool { return schemas[i].Name < schemas[j].Name })
	return schemas
}

// typeName is a schema's type in a few words.
func typeName(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	name := s.Type
	switch {
	case s.Ref != "":
		name = s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case s.Type == huma.TypeArray:
		name = "array of " + typeName(s.Items)
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprint(word)
		}
		name = strings.Join(words, " | ")
	case s.Format == "date-time":
		name = "RFC 3339 time"
	}
	if s.Nullable {
		name += " or null"
	}
	return name
}

func (s *Server) serveDocs(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Set(fiber.HeaderContentSecurityPolicy, s.docs.policy)
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Send(s.docs.body)
}
