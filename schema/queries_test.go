package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"corrosion/schema/schematest"
)

// generatedQueries are the statements in the generated code, by name.
func generatedQueries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("pg/*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	name := regexp.MustCompile(`^-- name: (\w+) `)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, _ := strconv.Unquote(literal.Value); name.MatchString(text) {
				queries[name.FindStringSubmatch(text)[1]] = text
			}
			return true
		})
	}
	return queries
}

// Every query that the program can send is one that the newest schema understands.
func TestQueriesPrepare(t *testing.T) {
	pool := schematest.Postgres(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for name, text := range generatedQueries(t) {
		if _, err := conn.Conn().Prepare(t.Context(), name, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every query that was written has been generated, and none is left of one that was removed. `make lint` compares the
// texts too.
func TestQueriesGenerated(t *testing.T) {
	files, err := filepath.Glob("postgres/query/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	generated := generatedQueries(t)
	name := regexp.MustCompile(`(?m)^-- name: (\w+) :(\w+)$`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range name.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(generated[match[1]], match[0]) {
				t.Errorf("%s: %s is not generated as it is written: run `make generate`", path, match[1])
			}
			delete(generated, match[1])
		}
	}
	for name := range generated {
		t.Errorf("%s is generated and not written: run `make generate`", name)
	}
}
