/** A small line as the path of an SVG in a box of width by height; a gap stays a gap. Zero is the bottom. */
export function sparkPath(values: readonly (number | null)[], width: number, height: number): string {
  const top = values.reduce<number>((most, v) => Math.max(most, v ?? 0), 0) || 1
  const step = values.length > 1 ? width / (values.length - 1) : 0
  let open = false
  return values
    .map((v, i) => {
      if (v === null) {
        open = false
        return ''
      }
      const point = `${round(i * step)} ${round(height - (v / top) * height)}`
      // A point alone would be nothing: a line of no length has round ends.
      const text = open ? `L${point}` : `M${point}L${point}`
      open = true
      return text
    })
    .join('')
}

const round = (v: number) => Math.round(v * 10) / 10
