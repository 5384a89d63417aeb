import { expect, test } from 'vitest'
import { daysOf, isOver, jobStateText, linesOf, omitEmpty, quotaOf, remoteFault } from '@/lib/platform'

test('parameters that choose nothing are left out', () => {
  expect(omitEmpty({ search: ' ', state: 'active' })).toEqual({ state: 'active' })
})

test('a quota is the installation\u2019s, a number, or not yet one', () => {
  expect(quotaOf('')).toBeNull()
  expect(quotaOf(' 0 ')).toBe(0)
  expect(quotaOf('1200')).toBe(1200)
  expect(quotaOf('-1')).toBeUndefined()
  expect(quotaOf('1.5')).toBeUndefined()
})

test('days are whole and from 1 to 3650', () => {
  expect(daysOf('30')).toBe(30)
  expect(daysOf('3650')).toBe(3650)
  for (const text of ['', '0', '3651', '1.5', 'ten']) expect(daysOf(text)).toBeNull()
})

test('runs are over when they are done or have failed', () => {
  expect(['waiting', 'running', 'ok', 'failed'].map(isOver)).toEqual([false, false, true, true])
  expect(jobStateText('waiting')).toBe('Waits for an aggregator')
})

test('a file that lies elsewhere needs https, a digest and a size', () => {
  const digest = 'a'.repeat(64)
  expect(remoteFault('https://example.org/x.cs', digest, '120')).toBe('')
  expect(remoteFault('http://example.org/x.cs', digest, '120')).toMatch('https')
  expect(remoteFault('https://example.org/x.cs', 'abc', '120')).toMatch('SHA-256')
  expect(remoteFault('https://example.org/x.cs', digest, '0')).toMatch('bytes')
})

test('lines that say something', () => {
  expect(linesOf(' one \n\n two')).toEqual(['one', 'two'])
})
