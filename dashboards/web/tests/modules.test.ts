import { expect, test } from 'vitest'
import type { Installation, RolloutServer, Transition } from '@/api/modules'
import {
  actionsOf,
  batchesOf,
  canReturn,
  failureAdvice,
  formatPrice,
  inBand,
  isOpen,
  moved,
  progressOf,
  statusWords,
  sumRollout,
  verbsOf,
  wholeNumber,
} from '@/lib/modules'

const place = { locale: 'en-GB' }

test('prices are the API\u2019s decimals', () => {
  expect(formatPrice('9.99', 'USD', place)).toBe('US$9.99')
  expect(formatPrice('1500', 'JPY', place)).toBe('JP¥1,500')
  expect(formatPrice('0.00', 'EUR', place)).toBe('Free')
  expect(formatPrice('3', 'no currency', place)).toBe('3 no currency')
  expect(['', 'free', 'paid', '10'].map((band) => inBand({ price: '9.99' }, band))).toEqual([
    true,
    false,
    true,
    true,
  ])
  expect(inBand({ price: '10.01' }, '10')).toBe(false)
})

test('what may be asked of an installation follows its status', () => {
  expect(actionsOf({ status: 'failed', replaces: '' })).toEqual(['retry', 'uninstall'])
  expect(actionsOf({ status: 'installed', replaces: 'x' })).toEqual(['rollback', 'uninstall'])
  expect(actionsOf({ status: 'installed', replaces: '' })).toEqual(['uninstall'])
  expect(actionsOf({ status: 'downloading', replaces: '' })).toEqual(['cancel'])
  expect(actionsOf({ status: 'uninstalling', replaces: '' })).toEqual([])
  expect(isOpen('dispatched')).toBe(true)
  expect(isOpen('cancelled')).toBe(false)
  expect(progressOf({ status: 'installed', progress: 0 })).toBe(100)
  expect(progressOf({ status: 'downloading', progress: 37 })).toBe(37)
  expect(statusWords('installed').label).toBe('Installed')
  expect(statusWords('something-new').label).toBe('something-new')
  expect(failureAdvice('disk-full')).toContain('room')
  expect(failureAdvice(null)).toBe('')
})

test('a rollout is counted by what became of its servers', () => {
  const server = (status: string | null): RolloutServer => ({
    server_id: 's',
    batch: 0,
    status,
    error: null,
    installation_id: '',
    undo_id: '',
    undo_status: null,
  })
  expect(sumRollout(['installed', 'installed', 'failed', 'downloading', null].map(server))).toEqual({
    servers: 5,
    installed: 2,
    failed: 1,
    open: 1,
    waiting: 1,
    percent: 60,
  })
  expect(sumRollout([]).percent).toBe(0)
  expect(batchesOf(21, 10)).toBe(3)
  expect(batchesOf(0, 10)).toBe(0)
  expect(verbsOf('running')).toEqual(['pause', 'cancel', 'rollback'])
  expect(verbsOf('paused')).toEqual(['resume', 'cancel', 'rollback'])
  expect(verbsOf('done')).toEqual(['rollback'])
  expect(verbsOf('rolled-back')).toEqual([])
})

test('giving back is for two weeks', () => {
  const paid = { status: 'completed' as const, completed_at: '2026-11-01T00:00:00Z' }
  expect(canReturn(paid, Date.UTC(2026, 10, 14))).toBe(true)
  expect(canReturn(paid, Date.UTC(2026, 10, 15))).toBe(false)
  expect(canReturn({ ...paid, status: 'refunded' }, Date.UTC(2026, 10, 2))).toBe(false)
})

test('whole numbers of fields', () => {
  expect(wholeNumber('10', 1, 10)).toBe(10)
  for (const bad of ['0', '11', '1.5', '', 'x', '-1', '1e1']) expect(wholeNumber(bad, 1, 10)).toBeNull()
})

test('an installation goes on by what the live stream tells, and never back', () => {
  const before = {
    installation_id: 'a',
    status: 'dispatched',
    progress: 0,
    updated_at: '2026-11-01T00:00:01Z',
  }
  const told = {
    status: 'downloading',
    progress: 40,
    error: null,
    code: null,
    attempt: 1,
    at: '2026-11-01T00:00:02Z',
  }
  const after = moved(before as Installation, told as Transition)
  expect(after).toMatchObject({
    installation_id: 'a',
    status: 'downloading',
    progress: 40,
    updated_at: told.at,
  })
  const late = { ...told, status: 'installed', at: '2026-11-01T00:00:00Z' }
  expect(moved(before as Installation, late as Transition)).toBe(before)
})
