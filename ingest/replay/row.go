package replay

// cell is one value of a row.
type cell struct {
	col  *column
	text string
	// odd says that the value is not of a kind that could be a number: a JSON text or bool.
	odd bool
}

// row is one line of a file. Its strings are valid until the next one is read.
type row struct {
	line   int
	time   string
	server string
	cells  []cell
	// long rows have one cell, whose column may come again in the same sample.
	long bool
}

// rows reads a file. next returns io.EOF at its end and a *lineError for a line that costs only itself.
type rows interface {
	next(*row) error
}

// lineError is a broken line.
type lineError struct {
	line   int
	detail string
}

func (e *lineError) Error() string { return e.detail }
