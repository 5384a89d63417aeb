import { describe, expect, it } from 'vitest'
import { whenText } from '@/early/timeline'
import { remaining, spoken, untilTick } from '@/lib/countdown'
import { segmentOf } from '@/lib/segment'
import { leadsWithZeros, solve } from '@/lib/work'

describe('the countdown', () => {
  it('splits what is left', () => {
    expect(remaining(((95 * 24 + 3) * 3600 + 4 * 60 + 5) * 1000)).toEqual({
      days: 95,
      hours: 3,
      minutes: 4,
      seconds: 5,
      over: false,
    })
  })
  it('reaches zero with the moment, and rests there', () => {
    const shown = [1001, 1000, 999, 1, 0, -1, -86_400_000].map((ms) => remaining(ms))
    expect(shown.map((r) => r.seconds)).toEqual([2, 1, 1, 1, 0, 0, 0])
    expect(shown.map((r) => r.over)).toEqual([false, false, false, false, true, true, true])
    expect(shown.every((r) => r.days === 0)).toBe(true)
  })
  it('ticks exactly when the shown second changes', () => {
    for (let ms = 5000; ms > 0; ms -= 37) {
      const next = ms - untilTick(ms)
      expect(remaining(next).seconds).toBe(remaining(ms).seconds - 1)
      expect(remaining(next + 1).seconds).toBe(remaining(ms).seconds)
    }
    expect(untilTick(0)).toBe(Infinity)
  })
  it('has words', () => {
    expect(spoken(remaining(86_400_000 + 3_600_000))).toBe('1 day and 1 hour until the launch.')
    expect(spoken(remaining(120_000))).toBe('2 minutes until the launch.')
    expect(spoken(remaining(1000))).toBe('Less than a minute until the launch.')
    expect(spoken(remaining(0))).toBe('The launch is here.')
  })
})

describe('segments', () => {
  it('has the bounds of the contract', () => {
    const of = (n: number) => segmentOf(n)?.id ?? null
    expect([1, 2, 5, 6, 25, 26, 100, 101, 1_000_000].map(of)).toEqual([
      '1',
      '2-5',
      '2-5',
      '6-25',
      '6-25',
      '26-100',
      '26-100',
      '101+',
      '101+',
    ])
    expect([0, -1, 1.5, NaN, 1_000_001].map(of)).toEqual([null, null, null, null, null])
  })
})

describe('proofs of work', () => {
  it('counts leading zero bits', () => {
    const digest = new Uint8Array([0, 0b0001_0000])
    expect([8, 11, 12].map((bits) => leadsWithZeros(digest, bits))).toEqual([true, true, false])
  })
  it('finds numbers that solve every puzzle', async () => {
    const challenge = { challenge: 'abc', algorithm: 'SHA-256' as const, puzzles: 3, bits: 7, expires_at: '' }
    const work = await solve(challenge, crypto.subtle)
    expect(work.nonces).toHaveLength(3)
    for (const [i, nonce] of work.nonces.entries()) {
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`abc:${i}:${nonce}`))
      expect(leadsWithZeros(new Uint8Array(digest), 7)).toBe(true)
    }
  })
})

describe('the timeline', () => {
  it('nothing is promised for a day beyond the launch', () => {
    const at = (day: string, launch = false, reached = false) => ({ at: `${day}T00:00:00Z`, launch, reached })
    const all = [at('2026-11-23', false, true), at('2027-02-08'), at('2027-02-28', true), at('2027-04-01')]
    expect(all.map((m) => whenText(m, all, 'en-GB'))).toEqual([
      '23 November 2026',
      'Planned for 8 February 2027',
      '28 February 2027',
      'Planned, under vote',
    ])
  })
})
