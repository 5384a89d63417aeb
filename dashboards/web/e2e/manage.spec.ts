import { readFile } from 'node:fs/promises'
import { accounts } from './account'
import { problem, servers, type Answer } from './mock'
import { office, oneServer, openOffice } from './office'
import { desktop, expect, expectAccessible, look, phone, screenshot, test } from './page'

test('API keys: what each may do; a new one is shown once and can be revoked', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const o = office()
  await openOffice(page, o, '/keys')
  const rows = page.locator('[data-test=key]')
  await expect(rows).toContainText([
    /Discord bot.*Read figures.*Lives until it is revoked · last used 60 min ago/s,
    /Nightly export.*Export.*Expires in 3 d/s,
    /Old script.*revoked.*Ended when its maker lost the right to it/s,
  ])
  await look(page, 'api-keys', 'light', desktop)
  await look(page, 'api-keys', 'dark', phone)
  await page.setViewportSize(desktop)
  await page.getByRole('button', { name: 'Make a key' }).click()
  const dialog = page.getByRole('dialog', { name: 'Make an API key' })
  await dialog.getByRole('textbox', { name: 'Name' }).fill('Deploys')
  await dialog.getByLabel('Read figures').uncheck()
  await expect(dialog.getByRole('button', { name: 'Make the key' })).toBeDisabled()
  await dialog.getByLabel('Read figures').check()
  await dialog.getByLabel('Write marks').check()
  await expect(dialog.getByRole('status')).toContainText('This key can change things')
  await dialog.getByLabel('It lives').selectOption('30')
  await look(page, 'api-key-new', 'dark', phone)
  await page.setViewportSize(desktop)
  await dialog.getByRole('button', { name: 'Make the key' }).click()
  expect(o.sent.at(-1)?.body).toEqual({
    name: 'Deploys',
    scopes: ['read:analytics', 'write:events'],
    expires_in_days: 30,
  })
  const once = page.getByRole('dialog', { name: 'Keep this key' })
  await expect(once).toContainText('csk_the-whole-key')
  await once.getByRole('button', { name: 'Copy: Key' }).click()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('csk_the-whole-key')
  await look(page, 'api-key-once', 'light', desktop)
  await once.getByRole('button', { name: 'I have kept it' }).click()
  await expect(page.getByText('csk_the-whole-key')).toHaveCount(0)
  await page.getByRole('button', { name: 'Revoke Discord bot' }).click()
  await page
    .getByRole('dialog', { name: 'Revoke “Discord bot”?' })
    .getByRole('button', { name: 'Revoke' })
    .click()
  await expect(page.getByRole('button', { name: 'Revoke Discord bot' })).toHaveCount(0)
})

test('API keys: none yet, and what the server refuses', async ({ page }) => {
  await openOffice(page, office({ keys: [] }), '/keys', (path, _, route) => {
    if (!path.endsWith('/keys') || route.request().method() !== 'POST') return null
    const errors = [{ location: 'body.name', message: 'has control characters' }]
    const body = JSON.stringify({ title: 'Faults', status: 422, code: 'invalid-request', errors })
    return route.fulfill({ status: 422, contentType: 'application/problem+json', body }).then(() => true)
  })
  await expect(page.getByText('No keys yet')).toBeVisible()
  await look(page, 'api-keys-none', 'dark', desktop)
  await page.getByRole('button', { name: 'Make the first key' }).click()
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Bot')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog').getByRole('textbox', { name: 'Name' })).toHaveAccessibleDescription(
    /has control characters/,
  )
  await expectAccessible(page)
})

test('a server is edited with what was read last, and archived and back', async ({ page }) => {
  const o = office()
  let said = { archived_at: null as string | null, notes: 'Ask Grace', name: 'Main' }
  let faster = true
  const bodies: unknown[] = []
  const answer: Answer = (path, _, route) => {
    if (!path.startsWith('/api/analytics/servers/demo-04')) return null
    const method = route.request().method()
    if (method === 'PUT') {
      bodies.push([route.request().headers()['if-match'], route.request().postDataJSON()])
      if (faster) return problem(route, 412, 'Changed', {}, 'changed').then(() => true)
      said = { ...said, name: 'Renamed' }
    }
    if (method === 'POST')
      said = { ...said, archived_at: path.endsWith('/archive') ? '2026-11-23T18:00:00Z' : null }
    return oneServer(
      route,
      { ...said, tags: { region: 'us' }, groups: ['pvp'] },
      faster ? '"s1.b"' : '"s2.b"',
    )
  }
  await openOffice(page, o, '/servers/demo-04', answer)
  await expect(page.getByText('Ask Grace')).toBeVisible()
  await expect(page.getByRole('list', { name: 'Tags and groups' })).toContainText('region: us')
  await page.getByRole('button', { name: 'Edit' }).click()
  const dialog = page.getByRole('dialog', { name: 'Edit demo-04' })
  await dialog.getByLabel('Tags').fill('region')
  await expect(dialog.getByLabel('Tags')).toHaveAccessibleDescription(/is no tag/)
  await expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled()
  await expectAccessible(page)
  await dialog.getByLabel('Tags').fill('region:eu\ntier:1')
  await dialog.getByLabel('Seconds between samples').fill('30')
  await look(page, 'server-edit', 'light', phone)
  await page.setViewportSize(desktop)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByRole('alert')).toContainText('Somebody else was faster')
  await look(page, 'server-edit-changed', 'dark', desktop)
  faster = false
  await dialog.getByRole('button', { name: 'Read it again' }).click()
  await expect(dialog.getByLabel('Tags')).toHaveValue('region:us')
  await dialog.getByLabel('Display name').fill('Renamed')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('heading', { name: 'Renamed' })).toBeVisible()
  const written = { name: 'Main', tags: { region: 'eu', tier: '1' }, groups: ['pvp'], notes: 'Ask Grace' }
  expect(bodies).toEqual([
    ['"s1.b"', { ...written, expected_interval_s: 30 }],
    ['"s2.b"', { ...written, name: 'Renamed', tags: { region: 'us' }, expected_interval_s: 10 }],
  ])
  await page.getByRole('button', { name: 'Archive' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click()
  await expect(page.getByText('Archived 23 Nov 2026.')).toBeVisible()
  await look(page, 'server-archived', 'light', desktop)
  await page.getByRole('button', { name: 'Unarchive' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Unarchive' }).click()
  await expect(page.getByText('Archived 23 Nov 2026.')).toHaveCount(0)
})

test('a server is written down by hand; archived ones are shown when asked for', async ({ page }) => {
  let body: unknown
  await openOffice(page, office(), '/servers', (path, query, route) => {
    if (path === '/api/analytics/servers' && route.request().method() === 'POST') {
      body = route.request().postDataJSON()
      return problem(route, 409, 'There', {}, 'conflict').then(() => true)
    }
    if (path !== '/api/analytics/servers' || query.get('archived') !== 'true') return null
    const old = { ...servers(1)[0], server_id: 'old-01', archived_at: '2026-10-01T00:00:00Z' }
    return { servers: [old], total: 1, next: null }
  })
  await page.getByRole('button', { name: 'Add a server' }).click()
  const dialog = page.getByRole('dialog', { name: 'Add a server' })
  await expect(dialog.getByLabel('Id')).toBeFocused()
  await page.keyboard.type('stats')
  await expect(dialog.getByLabel('Id')).toHaveAccessibleDescription(/word of the protocol/)
  await dialog.getByLabel('Id').fill('eu-main')
  await dialog.getByLabel('Groups').fill('pvp')
  await look(page, 'server-add', 'dark', desktop)
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  expect(body).toEqual({ server_id: 'eu-main', name: '', notes: '', tags: {}, groups: ['pvp'] })
  await expect(dialog.getByRole('alert')).toContainText('of that name is there already')
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Show the archived servers' }).click()
  await expect(page.getByRole('link', { name: 'old-01' })).toBeVisible()
  await expect(page).toHaveURL(/archived=true/)
  await look(page, 'servers-archived', 'light', desktop)
})

test('a viewer changes no server', async ({ page }) => {
  await openOffice(
    page,
    office({ account: accounts({ role: 'viewer' }) }),
    '/servers/demo-04',
    (path, _, route) => (path.endsWith('/servers/demo-04') ? oneServer(route, {}, '"s"') : null),
  )
  await expect(page.getByRole('heading', { name: 'demo-04' })).toBeVisible()
  for (const name of ['Edit', 'Archive']) await expect(page.getByRole('button', { name })).toHaveCount(0)
  await page.goto('/servers')
  await page.clock.runFor(500)
  await expect(page.getByRole('heading', { name: 'Servers 50' })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Add a server' })).toHaveCount(0)
})

test('retention: limits, oldest rows, rows, bytes and what a sample costs', async ({ page }) => {
  const o = office()
  await openOffice(page, o, '/retention')
  const row = (name: string) => page.locator(`[data-table=${name}]`)
  await expect(row('samples').getByRole('cell')).toHaveText([
    '7 days',
    'For samples',
    /17 Nov 2026, 07:02:30\s*7 d ago|17 Nov 2026, 07:02:30\s*6 d ago/,
    '30,240,000',
    '371\u00a0MB',
    '12.3\u00a0B',
  ])
  await expect(row('events')).toContainText('400 days')
  await expect(row('events')).toContainText('Fixed')
  await expect(row('ingest_log')).toContainText('none yet')
  await expect(page.locator('[data-test=total]')).toHaveText('376\u00a0MB')
  await look(page, 'retention', 'light', desktop)
  await look(page, 'retention', 'dark', phone)
  o.tables = []
  await page.reload()
  await page.clock.runFor(500)
  await expect(page.getByText('Nothing is kept yet')).toBeVisible()
  await expectAccessible(page)
})

test('audit: page by page, filtered in the URL, saved as a file', async ({ page }) => {
  test.setTimeout(300_000) // a hundred rows, looked at by axe four times
  const o = office()
  await openOffice(page, o, '/audit')
  const rows = page.locator('[data-entry]')
  await expect(rows).toHaveCount(100)
  await expect(rows.nth(1)).toContainText('Member role changed')
  await expect(rows.nth(1)).toContainText(/before\s*viewer/)
  await expect(rows.first()).toContainText('a stranger')
  await look(page, 'audit', 'light', desktop)
  await look(page, 'audit', 'dark', phone)
  await page.setViewportSize(desktop)
  await page.getByRole('button', { name: 'Show older ones' }).click()
  await expect(page.getByText('150 entries, which is all')).toBeVisible()
  // What comes later stands on top, and what was read stays.
  o.entries = [{ ...(o.entries[2] as (typeof o.entries)[0]), id: 301 }, ...o.entries]
  await page.clock.runFor(61_000)
  await expect(page.getByText('151 entries, which is all')).toBeVisible()
  await page.getByLabel('What', { exact: true }).fill('member.*')
  await page.getByLabel('Who').selectOption({ label: 'Ada' })
  await page.getByLabel('From').fill('2026-11-01T10:00')
  await page.getByRole('button', { name: 'Show these' }).click()
  await expect(rows).toHaveCount(30)
  await expect(page).toHaveURL(/action=member\.\*&from=2026-11-01T09:00:00\.000Z/)
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save as CSV' }).click()
  const file = await download
  expect(file.suggestedFilename()).toBe('audit-20261123.csv')
  expect(await readFile(await file.path(), 'utf8')).toBe('id,at\n')
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect(rows).toHaveCount(100)
  await rows.nth(3).getByRole('button', { name: 'Only what was done to server' }).click()
  await expect(page.getByText('Only what was done to server demo-04')).toBeVisible()
  await page.getByLabel('What', { exact: true }).fill('nothing.*')
  await page.keyboard.press('Enter')
  await expect(page.getByText('No entry fits')).toBeVisible()
  await expectAccessible(page)
  await page.goBack()
  await expect(page.getByText('Only what was done to server demo-04')).toBeVisible()
})

test('a filter that the server refuses is said at its field', async ({ page }) => {
  await openOffice(
    page,
    office(),
    '/audit?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z',
    (path, _, route) => {
      if (path !== '/api/audit') return null
      const errors = [{ location: 'query.to', message: 'must be after from' }]
      const body = JSON.stringify({ title: 'Faults', status: 422, code: 'invalid-request', errors })
      return route.fulfill({ status: 422, contentType: 'application/problem+json', body }).then(() => true)
    },
  )
  await expect(
    page.getByRole('textbox', { name: 'To', exact: true }).or(page.getByLabel('To', { exact: true })),
  ).toHaveAccessibleDescription('must be after from')
  await expectAccessible(page)
  await screenshot(page, 'audit-refused')
})

const pages = [
  { path: '/team', asks: '/api/license/members', loading: 'Reading the team', there: 'Members 3' },
  { path: '/keys', asks: '/api/license/keys', loading: 'Reading the keys', there: 'Keys 3' },
  {
    path: '/retention',
    asks: '/api/analytics/retention',
    loading: 'Counting what is kept',
    there: 'What is kept',
  },
  { path: '/audit', asks: '/api/audit', loading: 'Reading the log', there: 'What was done' },
]

for (const { path, asks, loading, there } of pages) {
  const seen = (page: import('@playwright/test').Page) => page.getByRole('region', { name: there })

  test(`${path}: loading, a server that fails, offline, and an ended session`, async ({ page, context }) => {
    const o = office({ entries: office().entries.slice(0, 9) })
    let release: () => void = () => undefined
    let way: 'held' | 'down' | 'gone' | 'ended' | 'fine' = 'held'
    const held = new Promise<null>((resolve) => (release = () => resolve(null)))
    await openOffice(page, o, path, (asked, _, route) => {
      if (asked !== asks) return null
      if (way === 'held') return held
      if (way === 'down') return problem(route, 503, 'Not ready').then(() => true)
      if (way === 'gone') return route.abort('internetdisconnected').then(() => true)
      return way === 'ended' ? problem(route, 401, 'No', {}, 'token-expired').then(() => true) : null
    })
    await expect(page.getByRole('status').filter({ hasText: loading })).toBeVisible()
    await expectAccessible(page)
    way = 'down'
    release()
    await expect(seen(page)).toBeVisible()
    await page.clock.runFor(61_000)
    await expect(page.getByText('Not up to date since')).toBeVisible()
    await expect(seen(page)).toBeVisible()
    await expectAccessible(page)
    way = 'gone'
    await context.setOffline(true)
    await page.getByRole('button', { name: 'Try now' }).click()
    await expect(page.getByText('You are offline.')).toBeVisible()
    await screenshot(page, `offline${path.replace('/', '-')}`)
    await context.setOffline(false)
    way = 'ended'
    o.account.alive = false
    await page.clock.runFor(61_000)
    const dialog = page.getByRole('dialog', { name: 'Your session has ended' })
    await expect(dialog).toBeVisible()
    way = 'fine'
    await dialog.getByLabel('Password').fill('correct horse')
    await page.keyboard.press('Enter')
    await expect(dialog).toHaveCount(0)
    await expect(page.getByText('Not up to date since')).toHaveCount(0)
    await expect(seen(page)).toBeVisible()
  })

  test(`${path}: a server that fails from the start says what to do`, async ({ page }) => {
    let down = true
    await openOffice(page, office(), path, (asked, _, route) =>
      asked === asks && down ? problem(route, 500, 'Broken').then(() => true) : null,
    )
    await expect(page.getByRole('alert')).toContainText('The server failed to answer')
    await expectAccessible(page)
    down = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await expect(seen(page)).toBeVisible()
  })
}

test('what a role does not allow is not offered, and says so when it is opened', async ({ page }) => {
  await openOffice(page, office({ account: accounts({ role: 'admin' }) }), '/audit')
  await expect(page.getByText('Your role does not allow this page')).toBeVisible()
  const nav = page.getByRole('navigation', { name: 'Main' })
  await expect(nav.getByRole('link', { name: 'API keys' })).toBeVisible()
  await expect(nav.getByRole('link', { name: 'Audit' })).toHaveCount(0)
  await expectAccessible(page)
})
