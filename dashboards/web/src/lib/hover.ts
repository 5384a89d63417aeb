import { plot } from './option'

/** Between pixels of a chart's width and moments of its range. Pure. */
export interface Scale {
  from: number
  to: number
  /** The whole chart's width, px. */
  width: number
}

const plotWidth = (scale: Scale) => Math.max(1, scale.width - plot.left - plot.right)

/** The x of a moment, px from the chart's left edge. */
export function xOf(scale: Scale, t: number): number {
  return plot.left + ((t - scale.from) / (scale.to - scale.from)) * plotWidth(scale)
}

/** The moment under an x, kept within the range. */
export function timeAt(scale: Scale, x: number): number {
  const share = (x - plot.left) / plotWidth(scale)
  return scale.from + Math.min(1, Math.max(0, share)) * (scale.to - scale.from)
}

/** The left edge of a box of the given width beside x: right of it, or left where it would leave the chart. */
export function besides(scale: Scale, x: number, box: number, gap = 12): number {
  const right = x + gap
  if (right + box <= scale.width) return right
  return Math.max(0, x - gap - box)
}

/** The index a key leads to among n points; null when the key is none of ours. */
export function stepIndex(key: string, index: number, n: number, wide: boolean): number | null {
  const stride = wide ? 10 : 1
  const target: Record<string, number> = {
    ArrowLeft: index - stride,
    ArrowRight: index + stride,
    PageDown: index - 10,
    PageUp: index + 10,
    Home: 0,
    End: n - 1,
  }
  const wanted = target[key]
  return wanted === undefined ? null : Math.min(n - 1, Math.max(0, wanted))
}
