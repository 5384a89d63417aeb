package schema_test

import (
	"testing"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

// What ends a literal, or looks as if it did, comes back from ClickHouse as it was.
func TestLiteral(t *testing.T) {
	conn := schematest.ClickHouse(t)
	for _, want := range []string{"", "plain", `it's`, `\`, `\'`, `'); DROP TABLE x --`, "ö\n\t\x00"} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT "+schema.Literal(want)).Scan(&got); err != nil || got != want {
			t.Errorf("%q came back as %q, %v", want, got, err)
		}
	}
}
