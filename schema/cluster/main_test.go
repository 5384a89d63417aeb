package cluster_test

import (
	"testing"

	"corrosion/deploy/local/localtest"
)

func TestMain(m *testing.M) { localtest.Main(m) }
