/** The dark squares of a QR code as the path of an SVG, and the side of its box. The code brings its own margin. */
export function qrPath(rows: readonly boolean[][]): { size: number; path: string } {
  const squares = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])))
  return { size: rows.length, path: squares.join('') }
}
