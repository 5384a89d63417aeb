import { describe as group, expect, it } from 'vitest'
import { besides, stepIndex, timeAt, xOf } from '@/lib/hover'
import { describe, readAt, speak } from '@/lib/readout'
import { gap, lineOf, p, part } from './build'

const place = { locale: 'en-GB', timeZone: 'UTC' }
const plain = (s: string) => s.replaceAll('\u00a0', ' ')

group('readout', () => {
  const lines = [lineOf(p(0, 60), gap(1), part(2, 30))]

  it('reads a moment, a gap and the newest', () => {
    expect(plain(speak(readAt(lines, 0, 'fps', place)))).toBe('Thu 1 Jan, 00:00: Average 60.0 fps')
    expect(speak(readAt(lines, 60_000, 'fps', place))).toBe('Thu 1 Jan, 00:01: no data')
    expect(plain(speak(readAt(lines, null, 'fps', place)))).toBe(
      'Thu 1 Jan, 00:02: Average 30.0 fps, bucket not complete',
    )
  })

  it('describes a chart with its holes', () => {
    expect(plain(describe(lines, 'fps', place))).toBe(
      'Average: from 30.0 fps to 60.0 fps, newest 30.0 fps. 1 of 3 intervals have no data.',
    )
    expect(describe([lineOf()], 'fps', place)).toBe('Average: no data.')
  })
})

group('hover', () => {
  const scale = { from: 0, to: 1000, width: 572 }

  it('maps moments to pixels and back', () => {
    expect(xOf(scale, 0)).toBe(60)
    expect(xOf(scale, 1000)).toBe(560)
    expect(timeAt(scale, xOf(scale, 250))).toBe(250)
  })

  it('stays within the range', () => {
    expect([timeAt(scale, -50), timeAt(scale, 9999)]).toEqual([0, 1000])
  })

  it('puts a box beside the cross-hair and inside the chart', () => {
    expect([besides(scale, 100, 200), besides(scale, 500, 200), besides(scale, 100, 900)]).toEqual([
      112, 288, 0,
    ])
  })

  it('walks by keys and stops at the ends', () => {
    expect([
      stepIndex('ArrowLeft', 5, 10, false),
      stepIndex('ArrowRight', 9, 10, false),
      stepIndex('ArrowLeft', 5, 10, true),
      stepIndex('Home', 5, 10, false),
      stepIndex('End', 5, 10, false),
      stepIndex('a', 5, 10, false),
    ]).toEqual([4, 9, 0, 0, 9, null])
  })
})
