import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '@/api/types'
import {
  actionText,
  actorText,
  detailsOf,
  extended,
  filterOf,
  filterParams,
  isRefusal,
  refreshed,
} from '@/lib/audit'

const entries = (...ids: number[]) => ids.map((id) => ({ id }) as AuditEntry)
const ids = (view: { entries: readonly AuditEntry[] }) => view.entries.map((e) => e.id)

describe('a filter', () => {
  it('is the same in the URL and for the API', () => {
    const query = { action: 'server.*', from: '2026-11-23T18:00:00Z', actor_id: 'a', other: 'x' }
    const params = { action: 'server.*', from: '2026-11-23T18:00:00.000Z', actor_id: 'a' }
    expect(filterParams(filterOf(query))).toEqual(params)
    expect(filterParams(filterOf(params))).toEqual(params)
  })
  it('leaves out what cannot be', () => {
    expect(filterParams(filterOf({ from: 'yesterday', action: ['a', 'b'], to: '' }))).toEqual({})
  })
})

describe('the log', () => {
  it('grows at its end, and at its head without a gap', () => {
    const first = refreshed(null, { entries: entries(9, 8, 7), next: 'c7' })
    const second = extended(first, { entries: entries(6, 5), next: null })
    expect(ids(second)).toEqual([9, 8, 7, 6, 5])
    expect(second.next).toBeNull()
    const third = refreshed(second, { entries: entries(11, 10, 9), next: 'c9' })
    expect(ids(third)).toEqual([11, 10, 9, 8, 7, 6, 5])
    expect(third.next).toBeNull()
  })
  it('begins anew where entries between would be missing', () => {
    const before = { entries: entries(3, 2), next: null }
    const view = refreshed(before, { entries: entries(9, 8), next: 'c8' })
    expect(ids(view)).toEqual([9, 8])
    expect(view.next).toBe('c8')
  })
  it('begins anew after an empty one', () => {
    expect(ids(refreshed({ entries: [], next: null }, { entries: entries(1), next: null }))).toEqual([1])
  })
})

it('puts actions, actors and details in words', () => {
  expect(actionText('member.role-changed')).toBe('Member role changed')
  expect([isRefusal('account.login-refused'), isRefusal('account.login')]).toEqual([true, false])
  expect(actorText({ actor: '' })).toBe('a stranger')
  expect(detailsOf({ role: 'admin', quotas: { servers: 5 } })).toEqual([
    { name: 'role', text: 'admin' },
    { name: 'quotas', text: '{"servers":5}' },
  ])
  expect(detailsOf(null)).toEqual([])
})
