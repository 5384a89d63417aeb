package api

import (
	"bytes"
	"mime/multipart"
	"runtime"
	"testing"
)

// externalTable is body as ClickHouse's external table _file, sent as a form.
func externalTable(t *testing.T, format, body string) (*bytes.Buffer, string) {
	t.Helper()
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	if err := form.WriteField("_file_format", format); err != nil {
		t.Fatal(err)
	}
	if err := form.WriteField("_file_structure", parquetStructure); err != nil {
		t.Fatal(err)
	}
	part, err := form.CreateFormFile("_file", "file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return &buffer, form.FormDataContentType()
}

const parquetStructure = "ts Nullable(DateTime64(3, 'UTC')), server_id String, n Nullable(UInt64), players Nullable(UInt32), map Nullable(String), metrics String"

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
