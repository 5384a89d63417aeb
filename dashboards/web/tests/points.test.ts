import { describe, expect, it } from 'vitest'
import { allTimes, gaps, isEmpty, latest, nearest, pointAt, segments, toLines } from '@/lib/points'
import { answer, gap, lineOf, p, part } from './build'

const values = (cells: [number, number | null][]) => cells.map((c) => c[1])

describe('toLines', () => {
  it('keeps null as a gap, never as zero', () => {
    const [line] = toLines(answer())
    expect(line?.points).toEqual([
      { t: 0, v: 60, partial: false },
      { t: 60_000, v: null, partial: true },
    ])
  })
})

describe('segments', () => {
  it('draws whole buckets solid', () => {
    const { solid, dashed } = segments([p(0, 1), p(1, 2), p(2, 3)])
    expect(values(solid)).toEqual([1, 2, 3])
    expect(values(dashed)).toEqual([null, null, null])
  })

  it('never joins over a gap', () => {
    const { solid, lone } = segments([p(0, 1), p(1, 2), gap(2), p(3, 4), p(4, 5)])
    expect(values(solid)).toEqual([1, 2, null, 4, 5])
    expect(lone.size).toBe(0)
  })

  it('dashes the stretch to the partial last bucket', () => {
    const { solid, dashed } = segments([p(0, 1), p(1, 2), part(2, 9)])
    expect(values(solid)).toEqual([1, 2, null])
    expect(values(dashed)).toEqual([null, 2, 9])
  })

  it('dashes both ends of a range that cuts its first and last bucket', () => {
    const { solid, dashed } = segments([part(0, 1), p(1, 2), p(2, 3), part(3, 4)])
    expect(values(solid)).toEqual([null, 2, 3, null])
    expect(values(dashed)).toEqual([1, 2, 3, 4])
  })

  it('marks points that no line reaches, partial ones too', () => {
    const { solid, lone } = segments([gap(0), p(1, 2), gap(2), part(3, 4)])
    expect([...lone]).toEqual([60_000, 180_000])
    expect(values(solid)).toEqual([null, 2, null, 4])
  })

  it('takes no points and all gaps', () => {
    expect(segments([]).solid).toEqual([])
    expect(values(segments([gap(0), gap(1)]).solid)).toEqual([null, null])
  })
})

describe('gaps', () => {
  const m = 60_000
  it('reaches from the last point before to the first after', () => {
    expect(gaps([lineOf(p(0, 1), gap(1), gap(2), p(3, 1))], 0, 4 * m)).toEqual([[0, 3 * m]])
  })

  it('reaches to the ends of the range', () => {
    expect(gaps([lineOf(gap(1), p(2, 1), gap(3))], 0, 4 * m)).toEqual([
      [0, 2 * m],
      [2 * m, 4 * m],
    ])
  })

  it('is none where any line has a value', () => {
    expect(gaps([lineOf(p(0, 1), gap(1)), lineOf(gap(0), p(1, 2))], 0, m)).toEqual([])
  })
})

describe('moments', () => {
  it('unites lines that differ by a bucket', () => {
    expect(allTimes([lineOf(p(1, 1), p(2, 1)), lineOf(p(2, 1), p(3, 1))])).toEqual([60_000, 120_000, 180_000])
  })

  it('finds the nearest, the earlier one when halfway', () => {
    expect([-5, 0, 4, 5, 6, 10, 99].map((t) => nearest([0, 10, 20], t))).toEqual([0, 0, 0, 0, 1, 1, 2])
    expect(nearest([], 5)).toBe(-1)
  })

  it('finds a point at its moment only', () => {
    const line = lineOf(p(1, 7), gap(2))
    expect(pointAt(line, 60_000)?.v).toBe(7)
    expect(pointAt(line, 60_001)).toBeUndefined()
  })

  it('knows the newest value and whether there is any', () => {
    expect(latest(lineOf(p(0, 1), p(1, 2), gap(2)))?.v).toBe(2)
    expect(isEmpty([lineOf(gap(0))])).toBe(true)
    expect(isEmpty([lineOf(gap(0)), lineOf(p(0, 0))])).toBe(false)
  })
})
