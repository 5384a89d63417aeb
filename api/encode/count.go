package encode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"

	"corrosion/schema"
)

// rowCounter counts the rows of a file while its bytes pass by.
type rowCounter interface {
	Write(chunk []byte)
	// SoFar is how many rows have passed; 0 where only the end of the file tells.
	SoFar() uint64
	// Rows is meaningful after the last chunk.
	Rows() (uint64, error)
}

func newRowCounter(r Request) rowCounter {
	switch {
	case r.Format == Parquet:
		return &footerCounter{}
	case r.Format == CSV && r.Granularity == schema.Raw:
		return &patternCounter{pattern: []byte("}\"\r\n")}
	case r.Format == CSV:
		return &patternCounter{pattern: []byte("\n"), extra: 1}
	default:
		return &patternCounter{pattern: []byte("\n")}
	}
}

// patternCounter counts ends of rows. A raw CSV row ends with the JSON cell of metrics, so with }"CRLF, and that cannot
// stand within a cell: there a quote is always doubled. JSON and the hours hold no line breaks but the rows' own.
type patternCounter struct {
	pattern []byte
	// extra rows are counted that hold no data: the header.
	extra uint64
	found uint64
	// seam holds the end of the chunk before, shorter than the pattern.
	seam []byte
}

func (c *patternCounter) Write(chunk []byte) {
	keep := len(c.pattern) - 1
	// Neither the seam nor the head is as long as the pattern, so nothing is counted twice.
	c.seam = append(c.seam, chunk[:min(keep, len(chunk))]...)
	c.found += uint64(bytes.Count(c.seam, c.pattern))
	if len(chunk) > keep {
		c.found += countEnds(chunk, c.pattern)
		c.seam = append(c.seam[:0], chunk[len(chunk)-keep:]...)
		return
	}
	c.seam = append(c.seam[:0], c.seam[max(0, len(c.seam)-keep):]...)
}

// countEnds is bytes.Count for a pattern that ends with a line feed, which is rare: half as fast again.
func countEnds(chunk, pattern []byte) (count uint64) {
	if len(pattern) == 1 {
		return uint64(bytes.Count(chunk, pattern))
	}
	last := pattern[len(pattern)-1]
	for from := 0; ; {
		at := bytes.IndexByte(chunk[from:], last)
		if at < 0 {
			return count
		}
		from += at + 1
		if bytes.HasSuffix(chunk[:from], pattern) {
			count++
		}
	}
}

func (c *patternCounter) Rows() (uint64, error) {
	if c.found < c.extra {
		return 0, errors.New("count rows: no header row")
	}
	return c.found - c.extra, nil
}

func (c *patternCounter) SoFar() uint64 { return c.found - min(c.extra, c.found) }

// maxFooter bounds the kept end of a Parquet file. A row group of 23 columns takes about 6 KB of the footer, so this
// is enough for 250 million rows.
const maxFooter = 16 << 20

// footerCounter keeps the end of a Parquet file and reads the number of rows from its footer.
type footerCounter struct {
	tail  []byte
	total uint64
}

func (c *footerCounter) Write(chunk []byte) {
	c.total += uint64(len(chunk))
	if len(c.tail)+len(chunk) > 2*c.limit() {
		drop := min(len(c.tail), len(c.tail)+len(chunk)-c.limit())
		c.tail = append(c.tail[:0], c.tail[drop:]...)
	}
	c.tail = append(c.tail, chunk...)
}

func (c *footerCounter) SoFar() uint64 { return 0 }

// limit grows with the file: the footer is far less than a hundredth of it.
func (c *footerCounter) limit() int { return int(min(max(64<<10, c.total/64), maxFooter)) }

func (c *footerCounter) Rows() (uint64, error) {
	const trailer = 8 // length of the footer, then the magic
	if len(c.tail) < trailer || string(c.tail[len(c.tail)-4:]) != "PAR1" {
		return 0, errors.New("count rows: not the end of a Parquet file")
	}
	end := len(c.tail) - trailer
	size := int(binary.LittleEndian.Uint32(c.tail[end:]))
	if size > end {
		return 0, fmt.Errorf("count rows: footer of %d bytes was not kept", size)
	}
	return parquetRows(c.tail[end-size : end])
}

// parquetRows reads num_rows, the third field of FileMetaData.
func parquetRows(footer []byte) (uint64, error) {
	const numRows = 3
	ctx := context.Background()
	protocol := thrift.NewTCompactProtocolConf(thrift.NewStreamTransportR(bytes.NewReader(footer)), nil)
	if _, err := protocol.ReadStructBegin(ctx); err != nil {
		return 0, fmt.Errorf("read Parquet footer: %w", err)
	}
	for {
		_, kind, id, err := protocol.ReadFieldBegin(ctx)
		if err != nil {
			return 0, fmt.Errorf("read Parquet footer: %w", err)
		}
		if id == numRows && kind == thrift.I64 {
			rows, err := protocol.ReadI64(ctx)
			return uint64(rows), err
		}
		if kind == thrift.STOP {
			return 0, errors.New("read Parquet footer: no number of rows")
		}
		if err := protocol.Skip(ctx, kind); err != nil {
			return 0, fmt.Errorf("read Parquet footer: %w", err)
		}
	}
}
