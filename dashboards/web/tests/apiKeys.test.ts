import { expect, it } from 'vitest'
import type { ApiKey } from '@/api/types'
import { keyCommand, keyEnd, keyUse, scopeLabel } from '@/lib/apiKeys'

const now = Date.UTC(2026, 10, 23, 18)
const day = 86_400_000
const place = { locale: 'en-GB', timeZone: 'UTC' }
const at = (days: number) => new Date(now + days * day).toISOString()
const key = (over: Partial<ApiKey> = {}): ApiKey => ({
  created_at: at(-10),
  created_by: 'ada@example.org',
  expires_at: null,
  key_id: 'k',
  last_used_at: null,
  name: 'Bot',
  prefix: 'csk_ab',
  revoked_at: null,
  revoked_for: null,
  scopes: ['export'],
  status: 'active',
  ...over,
})

it('says when a key ends, and warns a week before', () => {
  const f = (over: Partial<ApiKey>, text: string, ill: boolean) =>
    expect(keyEnd(key(over), now, place)).toEqual({ text, ill })
  f({}, 'Lives until it is revoked', false)
  f({ expires_at: at(90) }, 'Expires 21 Feb 2027', false)
  f({ expires_at: at(3) }, 'Expires in 3 d', true)
  f({ expires_at: at(0), status: 'expired' }, 'Expired 23 Nov 2026', true)
  f({ status: 'revoked', revoked_at: at(-1), revoked_for: 'revoked' }, 'Revoked, 22 Nov 2026', true)
  f(
    { status: 'revoked', revoked_at: at(-1), revoked_for: 'maker-left' },
    'Ended when its maker lost the right to it, 22 Nov 2026',
    true,
  )
})

it('says when a key was used, and what its scopes are called', () => {
  expect(keyUse(key(), now)).toBe('never used')
  expect(keyUse(key({ last_used_at: at(-2) }), now)).toBe('last used 2 d ago')
  expect(scopeLabel('write:servers')).toBe('Change servers')
  expect(scopeLabel('future:thing')).toBe('future:thing')
  expect(keyCommand('https://x', 'k')).toContain("'Authorization: Bearer k' 'https://x/api/")
})
