import { readFile } from 'node:fs/promises'
import type { ApiKey, AuditPage, GameServer, StoredTable } from '../src/api/types'
import { actionText } from '../src/lib/audit'
import { formatBytes, formatStamp } from '../src/lib/format'
import { limitText, perSample, rowsText, totalBytes } from '../src/lib/retention'
import { expect, expectAccessible, screenshot, test } from './page'
import { address, password, place, settle, url } from './real'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL: people, keys, servers and the log of a network made here. */
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.use({ baseURL: url })

test('a network from its making to another owner, with every step in its log', async ({ page, browser }) => {
  test.setTimeout(240_000)
  const email = await settle(page, 'Rusty Real')
  await page.getByRole('link', { name: 'Team' }).click()
  await page.getByRole('button', { name: 'Rename' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('Rusty Renamed')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: new RegExp(`Rusty Renamed.*${email}`, 's') })).toBeVisible()

  const guest = address('guest')
  await page.getByRole('button', { name: 'Invite somebody' }).click()
  await page.getByRole('dialog').getByLabel('Email').fill(guest)
  await page.getByRole('dialog').getByLabel('Role').selectOption('viewer')
  await page.keyboard.press('Enter')
  const once = page.getByRole('dialog', { name: 'Hand this link over' })
  const link = new URL((await once.locator('code').textContent()) ?? '')
  await once.getByRole('button', { name: 'I have kept it' }).click()

  const context = await browser.newContext({ baseURL: url })
  const other = await context.newPage()
  await other.goto(link.pathname + link.hash)
  await expect(other.getByRole('heading', { name: 'Join Rusty Renamed' })).toBeVisible()
  await expectAccessible(other)
  await other.getByLabel('Password').fill(password)
  await other.getByLabel('Name').fill('Grace')
  await other.keyboard.press('Enter')
  await expect(other.getByRole('button', { name: /Rusty Renamed/ })).toBeVisible()
  await other.goto('/team')
  await expect(other.getByRole('region', { name: 'Members 2' })).toContainText('Grace')
  await expect(other.getByRole('button', { name: 'Invite somebody' })).toHaveCount(0)

  await page.reload()
  const members = page.getByRole('region', { name: 'Members 2' })
  await members.getByRole('button', { name: 'Change role of Grace' }).click()
  await page.getByRole('dialog').getByLabel('Role').selectOption('admin')
  await page.getByRole('button', { name: 'Change the role' }).click()
  await expect(members.getByRole('listitem').filter({ hasText: 'Grace' })).toContainText('admin')
  await page.getByRole('button', { name: 'Transfer ownership' }).click()
  await page.getByRole('dialog').getByLabel('Your password').fill(password)
  await page.getByRole('dialog').getByRole('button', { name: 'Transfer' }).click()
  await expect(members.getByRole('listitem').filter({ hasText: 'Ada' })).toContainText('admin')
  await expectAccessible(page)
  await screenshot(page, 'real-team')
  await page.getByRole('button', { name: 'Leave' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click()
  await expect(page.getByText('You have left Rusty Renamed', { exact: true })).toBeVisible()
  await page.goto('/team')
  await expect(page.getByText('You belong to no network yet')).toBeVisible()

  // The new owner's token is renewed by a reload; the log has every step as the API tells it.
  await other.reload()
  const answer = other.waitForResponse((r) => r.url().endsWith('/api/audit') && r.ok())
  await other.getByRole('link', { name: 'Audit' }).click()
  const { entries } = (await (await answer).json()) as AuditPage
  const rows = other.locator('[data-entry]')
  await expect(rows).toHaveCount(entries?.length ?? 0)
  for (const [i, entry] of (entries ?? []).entries()) {
    await expect(rows.nth(i)).toContainText(formatStamp(Date.parse(entry.at), place).slice(0, 11))
    await expect(rows.nth(i)).toContainText(actionText(entry.action))
  }
  const actions = (entries ?? []).map((e) => e.action)
  for (const action of ['license.created', 'license.renamed', 'invitation.created', 'invitation.accepted'])
    expect(actions).toContain(action)
  expect(actions).toEqual(
    expect.arrayContaining(['member.role-changed', 'license.transferred', 'member.left']),
  )
  await expectAccessible(other)
  await other.screenshot({ path: 'test-results/screens/real-audit.png', fullPage: true })
  const download = other.waitForEvent('download')
  await other.getByRole('button', { name: 'Save as NDJSON' }).click()
  const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual(entries?.map((e) => e.id))
  await context.close()
})

test('a key works until it is revoked, and the list says what the API says', async ({ page }) => {
  await settle(page, 'Rusty Keys')
  await page.getByRole('link', { name: 'API keys' }).click()
  await page.getByRole('button', { name: 'Make the first key' }).click()
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Bot')
  await page.getByRole('dialog').getByLabel('Read the network').check()
  await page.getByRole('button', { name: 'Make the key' }).click()
  const once = page.getByRole('dialog', { name: 'Keep this key' })
  const key = (await once.locator('code').first().textContent()) ?? ''
  await screenshot(page, 'real-key')
  await once.getByRole('button', { name: 'I have kept it' }).click()
  const ask = () => page.request.get('/api/license', { headers: { Authorization: `Bearer ${key}` } })
  expect(await (await ask()).json()).toMatchObject({ name: 'Rusty Keys', role: null })
  const again = page.waitForResponse((r) => r.url().endsWith('/api/license/keys') && r.ok())
  await page.reload()
  const { keys } = (await (await again).json()) as { keys: ApiKey[] }
  const row = page.locator('[data-test=key]')
  await expect(row).toHaveCount(keys.length)
  await expect(row).toContainText(`${keys[0]?.prefix}…`)
  await expect(row).toContainText(/Read figures\s*Read the network/)
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Revoke Bot' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
  await expect(row).toContainText('revoked')
  await expect.poll(async () => (await ask()).status(), { timeout: 20_000 }).toBe(401)
})

test('a server by hand: written, edited, archived, and the API says the same', async ({ page }) => {
  await settle(page, 'Rusty Servers')
  await page.getByRole('link', { name: 'Servers', exact: true }).click()
  await page.getByRole('button', { name: 'Add a server' }).click()
  const add = page.getByRole('dialog', { name: 'Add a server' })
  await add.getByLabel('Id').fill('eu-main')
  await add.getByLabel('Tags').fill('region:eu')
  const token = page.waitForRequest(
    (r) => r.method() === 'POST' && r.url().endsWith('/api/analytics/servers'),
  )
  await add.getByRole('button', { name: 'Add', exact: true }).click()
  const headers = { Authorization: (await token).headers()['authorization'] ?? '' }
  await expect(page).toHaveURL(/\/servers\/eu-main$/)
  const server = async () =>
    (await (await page.request.get('/api/analytics/servers/eu-main', { headers })).json()) as GameServer
  expect(await server()).toMatchObject({ tags: { region: 'eu' }, groups: [], name: '' })
  await page.getByRole('button', { name: 'Edit' }).click()
  const edit = page.getByRole('dialog', { name: 'Edit eu-main' })
  await expect(edit.getByLabel('Tags')).toHaveValue('region:eu')
  await edit.getByLabel('Display name').fill('Main')
  await edit.getByLabel('Tags').fill('tier:1')
  await edit.getByLabel('Groups').fill('pvp\nweekly')
  await edit.getByLabel('Notes').fill('First line\nSecond line')
  await edit.getByLabel('Seconds between samples').fill('30')
  // Somebody else is faster.
  await page.request.patch('/api/analytics/servers/eu-main', { headers, data: { notes: 'Theirs' } })
  await edit.getByRole('button', { name: 'Save' }).click()
  await expect(edit.getByRole('alert')).toContainText('Somebody else was faster')
  expect((await server()).notes).toBe('Theirs')
  await edit.getByRole('button', { name: 'Read it again' }).click()
  await expect(edit.getByLabel('Notes')).toHaveValue('Theirs')
  await edit.getByLabel('Display name').fill('Main')
  await edit.getByLabel('Tags').fill('tier:1')
  await edit.getByLabel('Groups').fill('pvp\nweekly')
  await edit.getByLabel('Seconds between samples').fill('30')
  await edit.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('heading', { name: 'Main' })).toBeVisible()
  const said = { name: 'Main', tags: { tier: '1' }, groups: ['pvp', 'weekly'], notes: 'Theirs' }
  expect(await server()).toMatchObject({ ...said, expected_interval_s: 30 })
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Archive' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click()
  await expect(page.getByText(/^Archived .*\./).first()).toBeVisible()
  expect((await server()).archived_at).not.toBeNull()
  await page.goto('/servers?archived=true')
  await page.getByRole('link', { name: 'Main', exact: true }).click()
  await page.getByRole('button', { name: 'Unarchive' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Unarchive' }).click()
  await expect.poll(async () => (await server()).archived_at).toBeNull()
})

test('retention has the figures of the database', async ({ page }) => {
  await page.goto('/sign-in?next=/retention')
  await page.getByLabel('Email').fill('demo@corrosion.local')
  await page.getByLabel('Password').fill('demo')
  const answer = page.waitForResponse((r) => r.url().endsWith('/api/analytics/retention') && r.ok())
  await page.keyboard.press('Enter')
  const { tables } = (await (await answer).json()) as { tables: StoredTable[] }
  expect(tables.length).toBeGreaterThan(3)
  for (const t of tables) {
    const row = page.locator(`[data-table=${t.table}]`)
    const oldest = t.oldest === null ? 'none yet' : formatStamp(Date.parse(t.oldest), place)
    await expect(row.getByRole('cell')).toContainText([
      limitText(t.limit_seconds, place),
      '',
      oldest,
      rowsText(t.rows, place),
      formatBytes(t.bytes, place),
      perSample(t.bytes_per_sample, place),
    ])
  }
  await expect(page.locator('[data-test=total]')).toHaveText(formatBytes(totalBytes(tables), place))
  await expectAccessible(page)
  await screenshot(page, 'real-retention')
})
