import { describe, expect, it } from 'vitest'
import type { Member, Role } from '@/api/types'
import { actorName, isLastOwner, mayChange, memberName, rolesToGive, withdrawnText } from '@/lib/team'

const member = (role: Role, over: Partial<Member> = {}): Member => ({
  account_id: 'a',
  email: 'ada@example.org',
  etag: '"1"',
  last_login_at: null,
  name: '',
  role,
  since: '2026-01-01T00:00:00Z',
  you: false,
  ...over,
})

describe('rolesToGive', () => {
  it('never offers more than one has', () => {
    const values = (mine: Role | null) => rolesToGive(mine).map((r) => r.value)
    expect(values('owner')).toEqual(['viewer', 'admin', 'owner'])
    expect(values('admin')).toEqual(['viewer', 'admin'])
    expect(values('viewer')).toEqual([])
    expect(values(null)).toEqual([])
  })
})

describe('mayChange', () => {
  const owner = member('owner')
  const second = member('owner')
  const admin = member('admin')
  it('keeps the last owner', () => {
    expect(isLastOwner([owner, admin], owner)).toBe(true)
    expect(isLastOwner([owner, second], owner)).toBe(false)
    expect(mayChange('owner', [owner, admin], owner)).toBe(false)
    expect(mayChange('owner', [owner, second], second)).toBe(true)
  })
  it('keeps those who may do more', () => {
    expect(mayChange('admin', [owner, second, admin], second)).toBe(false)
    expect(mayChange('admin', [owner, admin], admin)).toBe(true)
    expect(mayChange('viewer', [owner, member('viewer')], member('viewer'))).toBe(false)
  })
})

it('names a member by what may be seen', () => {
  expect(memberName(member('viewer', { name: 'Ada' }))).toBe('Ada')
  expect(memberName(member('viewer'))).toBe('ada@example.org')
  expect(memberName(member('viewer', { email: null }))).toBe('Somebody without a name')
})

it('counts what ended with a member', () => {
  expect(withdrawnText(0, 0)).toBe('')
  expect(withdrawnText(1, 0)).toBe('1 API key of theirs has ended too.')
  expect(withdrawnText(2, 1)).toBe('2 API keys and 1 invitation of theirs have ended too.')
})

it('names who did something', () => {
  const id = '01a2168f-49aa-739f-a981-1ce58c9e0765'
  const ada = { ...member('owner', { name: 'Ada' }), account_id: id }
  expect(actorName(id, [ada])).toBe('Ada')
  expect(actorName(id, [])).toBe('somebody of the network')
  expect(actorName(id.replace('0', '9'), [ada])).toBe('somebody who has left')
  expect(actorName('platform', [ada])).toBe('platform')
})
