// Command soakplot draws the measurements of `make soak` as one SVG: a small plot a column, kills as dots on the axis.
package main

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"os"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// perLine is how many plots stand beside each other; sizes are of one plot.
const (
	perLine = 3
	width   = 8 * vg.Centimeter
	height  = 5 * vg.Centimeter
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: soakplot soak.csv soak.svg")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "soakplot:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	names, rows, err := read(from)
	if err != nil {
		return err
	}
	measures := names[2:] // after seconds and kills
	lines := (len(measures) + perLine - 1) / perLine
	canvas := vgsvg.New(width*perLine, height*vg.Length(lines))
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	tiles := draw.Tiles{Rows: lines, Cols: perLine, PadX: vg.Millimeter, PadY: vg.Millimeter}
	for i, name := range measures {
		p, err := one(name, rows, i+2)
		if err != nil {
			return err
		}
		p.Draw(tiles.At(page, i%perLine, i/perLine))
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		return err
	}
	return file.Close()
}

// one is the plot of a column over minutes.
func one(name string, rows [][]float64, column int) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = strings.ReplaceAll(name, "_", " ")
	p.X.Label.Text = "minutes"
	p.Y.Min = 0
	var points, kills plotter.XYs
	before := 0.0
	for _, row := range rows {
		at := plotter.XY{X: row[0] / 60, Y: row[column]}
		points = append(points, at)
		if row[1] > before {
			kills = append(kills, plotter.XY{X: at.X})
		}
		before = row[1]
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", name, err)
	}
	line.Color = color.RGBA{R: 0xb4, G: 0x4a, B: 0x1f, A: 0xff}
	p.Add(plotter.NewGrid(), line)
	if len(kills) > 0 {
		dots, err := plotter.NewScatter(kills)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", name, err)
		}
		dots.Color, dots.Radius = color.Gray{0x60}, vg.Points(1.5)
		p.Add(dots)
	}
	p.Y.Min = 0
	p.Y.Max *= 1.1
	return p, nil
}

func read(path string) (names []string, rows [][]float64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	if len(all) < 3 || len(all[0]) < 3 {
		return nil, nil, fmt.Errorf("%s has no measurements", path)
	}
	for _, words := range all[1:] {
		row := make([]float64, len(words))
		for i, word := range words {
			if row[i], err = strconv.ParseFloat(word, 64); err != nil {
				return nil, nil, err
			}
		}
		rows = append(rows, row)
	}
	return all[0], rows, nil
}
