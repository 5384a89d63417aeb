import { describe, expect, it } from 'vitest'
import { ApiError, faultsWithin } from '@/api/error'
import type { GameServer } from '@/api/types'
import { allFaults } from '@/lib/serverFaults'
import { emptySettings, formOf, idFault, settingsOf, type SettingsForm } from '@/lib/serverSettings'

const said = {
  name: 'Main',
  tags: { region: 'eu', url: 'https://x:1' },
  groups: ['a, b', 'c'],
  notes: 'First\nSecond',
  expected_interval_s: 30,
}
const form = (over: Partial<SettingsForm>) => settingsOf({ ...emptySettings, ...over })

describe('settingsOf', () => {
  it('gives back what a server says', () => {
    expect(settingsOf(formOf(said as unknown as GameServer))).toEqual({ settings: said, faults: {} })
  })

  it('leaves empty what is empty', () => {
    expect(form({})).toEqual({ settings: { name: '', notes: '', tags: {}, groups: [] }, faults: {} })
  })

  it('reads lines with blanks around and doubles in them', () => {
    const { settings } = form({ tags: ' region : eu \n\n tier:1 ', groups: ' a \na\n b' })
    expect(settings.tags).toEqual({ region: 'eu', tier: '1' })
    expect(settings.groups).toEqual(['a', 'b'])
  })

  it('says what the server would refuse', () => {
    const fault = (over: Partial<SettingsForm>) => Object.values(form(over).faults)[0] ?? ''
    expect(fault({ tags: 'region' })).toContain('is no tag')
    expect(fault({ tags: 'bad key:1' })).toContain('is no tag')
    expect(fault({ tags: ':1' })).toContain('is no tag')
    expect(fault({ tags: 'region:' })).toContain('needs 1 to 128')
    expect(fault({ tags: 'a:1\na:2' })).toContain('twice')
    expect(fault({ tags: Array.from({ length: 51 }, (_, i) => `k${i}:1`).join('\n') })).toBe(
      'At most 50 tags.',
    )
    expect(fault({ groups: 'x'.repeat(65) })).toContain('longer than 64')
    expect(fault({ name: 'x'.repeat(201) })).toContain('200')
    for (const interval of ['0', '1.5', '86401', 'x', '-3']) expect(fault({ interval })).toContain('Whole')
    expect(fault({ interval: ' 86400 ' })).toBe('')
  })
})

it('knows which ids a server may have', () => {
  expect(idFault('eu-main_1')).toBe('')
  expect(idFault('stats')).toContain('protocol')
  for (const id of ['', 'a b', 'ä', 'x'.repeat(65)]) expect(idFault(id)).toContain('64')
})

it('finds what the server says within a field', () => {
  const error = new ApiError('status', '', 422, {
    errors: [
      { location: 'body.tags.region', message: 'is no value' },
      { location: 'body.groups[0]', message: 'is no group' },
      { location: 'body.name', message: 'is too long' },
    ],
  })
  expect(faultsWithin(error, 'tags')).toBe('tags.region is no value')
  expect(faultsWithin(error, 'tag')).toBe('')
  expect(allFaults({ name: 'Own' }, error)).toMatchObject({ name: 'Own', groups: 'groups[0] is no group' })
  expect(faultsWithin(new Error('x'), 'tags')).toBe('')
})
