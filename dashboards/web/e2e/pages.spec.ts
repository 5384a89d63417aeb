import { accounts, answerAccounts } from './account'
import { mockAPI, now, problem, servers } from './mock'
import {
  card,
  desktop,
  expect,
  expectAccessible,
  expectCharts,
  inked,
  look,
  phone,
  screenshot,
  test,
} from './page'

test('which servers are ill, why and since when, stands on top', async ({ page }) => {
  await page.clock.setFixedTime(now)
  await mockAPI(page)
  await page.goto('/')
  const attention = page.getByRole('region', { name: '2 servers need attention' })
  await expect(attention).toContainText(/demo-08\s*silent\s*since Mon 23 Nov, 18:02 \(60 min\)/)
  await expect(attention).toContainText(/demo-04\s*11\.4\sfps/)
  await attention.getByRole('link', { name: 'demo-04' }).click()
  await expect(page).toHaveURL(/\/servers\/demo-04$/)
})

test('a comparison draws the day before, and says how much has changed', async ({ page }) => {
  await page.clock.setFixedTime(now)
  await page.setViewportSize(desktop)
  const asked = await mockAPI(page)
  await page.goto('/?compare=day')
  await expectCharts(page)
  await expect(card(page, 'Average')).toContainText('±0.0\u00a0% on the day before')
  const from = now - 48 * 3_600_000
  expect(asked).toContain(`/api/public/demo/summary?from=${from}&to=${now - 24 * 3_600_000}`)
  await expect(page.locator('.legend').first()).toContainText('Day before')
  await expectAccessible(page)
  await screenshot(page, 'compare')
  await page.getByLabel('Compare with').selectOption('none')
  await expect(page).not.toHaveURL(/compare/)
})

test('a range of one\u2019s own', async ({ page }) => {
  await page.clock.setFixedTime(now)
  await mockAPI(page)
  await page.goto('/')
  await page.getByRole('button', { name: 'Custom' }).click()
  await page.getByLabel('From').fill('2026-11-20T10:00')
  await page.getByLabel('To', { exact: true }).fill('2026-11-20T10:01')
  await expect(page.getByText('Choose from 5 minutes to 400 days.')).toBeVisible()
  await page.getByLabel('To', { exact: true }).fill('2026-11-20T16:00')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await expect(page).toHaveURL(/from=1795165200000&to=1795186800000/)
})

test('the table of servers sorts, filters and keeps both in the URL', async ({ page }) => {
  await page.clock.setFixedTime(now)
  await mockAPI(page)
  await page.goto('/servers')
  const rows = page.getByRole('row')
  await expect(rows.nth(1)).toBeVisible()
  await look(page, 'servers', 'light', desktop)
  await look(page, 'servers', 'dark', phone)
  await page.setViewportSize(desktop)
  await page.getByRole('button', { name: 'FPS' }).focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('columnheader', { name: 'FPS' })).toHaveAttribute('aria-sort', 'ascending')
  await expect(rows.nth(1)).toContainText('demo-04')
  await expect(rows.nth(1)).toContainText('11.4\u00a0fps')
  await page.getByLabel('Find a server').fill('barren')
  await expect(page.getByRole('heading', { name: /17 of 50/ })).toBeVisible()
  await expect(page).toHaveURL(/sort=fps&q=barren/)
  await page.reload()
  await expect(page.getByRole('heading', { name: /17 of 50/ })).toBeVisible()
  await page.getByLabel('Find a server').fill('nothing like it')
  await expect(page.getByText('No server fits.')).toBeVisible()
})

test('5,000 servers cost as many rows as are in sight', async ({ page }) => {
  await page.clock.setFixedTime(now)
  const all = servers(5_000)
  await mockAPI(page, (path, query) => {
    if (!path.endsWith('/servers')) return null
    const at = Number(query.get('cursor') ?? 0)
    const next = at + 500 < all.length ? String(at + 500) : null
    return { servers: all.slice(at, at + 500), total: all.length, next }
  })
  await page.goto('/servers?sort=name')
  await expect(page.getByRole('heading', { name: 'Servers 5000' })).toBeVisible()
  expect(await page.getByRole('row').count()).toBeLessThan(60)
  await page
    .getByRole('region', { name: 'Servers, scrollable' })
    .evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await expect(page.getByRole('link', { name: 'demo-5000' })).toBeVisible()
})

test('a server shows every metric it sends, its percentiles, restarts and growth', async ({ page }) => {
  await page.clock.setFixedTime(now)
  const asked = await mockAPI(page)
  await page.goto('/servers/demo-04')
  await expect(page.getByRole('heading', { name: 'demo-04' })).toBeVisible()
  await expect.poll(() => inked(page, 'Frame time')).toBeGreaterThan(500)
  await expect(page.getByRole('slider', { name: 'Frame time,' })).toHaveAttribute(
    'aria-valuetext',
    /Median.*p95.*p99/,
  )
  await expect(page.getByRole('slider', { name: 'loot.spawned,' })).toBeVisible()
  await expect(card(page, 'Memory')).toContainText('an hour over')
  await expect(page.getByRole('region', { name: 'What happened' })).toContainText('Restart')
  expect(asked).toContain('/api/public/demo/summary?range=24h&server_id=demo-04')
  await look(page, 'server', 'light', desktop)
  await look(page, 'server', 'dark', phone)
  await page.getByLabel('Find a metric').fill('seed')
  await expect(page.getByRole('slider', { name: 'loot.spawned,' })).toHaveCount(0)
})

test('a server that does not exist says so', async ({ page }) => {
  await mockAPI(page, (path, _, route) =>
    path.includes('/servers/') ? problem(route, 404, 'Not found').then(() => true) : null,
  )
  await page.goto('/servers/nobody')
  await expect(page.getByText('There is no such server')).toBeVisible()
  await expectAccessible(page)
})

test('explore: any metric by keyboard, a link that holds it all, and other tools\u2019 words', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.clock.install({ time: now })
  await mockAPI(page)
  await page.goto('/explore')
  await expect.poll(() => inked(page, 'players')).toBeGreaterThan(500)
  await page.getByRole('button', { name: 'Add a metric' }).click()
  const second = page.getByRole('group', { name: 'Query 2' })
  await second.getByRole('combobox', { name: 'Metric' }).focus()
  await page.keyboard.type('spawn')
  await expectAccessible(page)
  await page.keyboard.press('Enter')
  await second.getByLabel('Grouping').selectOption('server')
  await page.getByLabel('Step').selectOption('15m')
  await expect(page).toHaveURL(/q=players~avg&q=metrics\.loot\.spawned~avg~server/)
  await expect(page).toHaveURL(/step=15m/)
  await expect.poll(() => inked(page, 'loot.spawned')).toBeGreaterThan(500)
  await expect(page.locator('.legend').nth(1)).toContainText('demo-02: loot.spawned avg')
  await page.getByRole('slider', { name: 'players,' }).hover({ position: { x: 300, y: 60 } })
  await expect(page.locator('.hair')).toHaveCount(2)
  await page.reload()
  await page.clock.runFor(500)
  await expect.poll(() => inked(page, 'loot.spawned')).toBeGreaterThan(500)
  await page.getByRole('button', { name: 'Copy as' }).click()
  await page.getByRole('menuitem', { name: 'curl' }).click()
  const copied = () => page.evaluate(() => navigator.clipboard.readText())
  await expect.poll(copied).toContain("--data-urlencode 'metric=metrics.loot.spawned'")
  await page.getByRole('button', { name: 'Copy as' }).click()
  await page.getByRole('menuitem', { name: 'SQL' }).click()
  await expect.poll(copied).toContain("metrics['loot.spawned']")
  await page.clock.runFor(10_000)
  await look(page, 'explore', 'light', desktop)
  await look(page, 'explore', 'dark', phone)
})

test('what a chart shows is saved as CSV and PNG', async ({ page }) => {
  await page.clock.setFixedTime(now)
  await mockAPI(page)
  await page.goto('/')
  await expectCharts(page)
  const save = async (item: string) => {
    await page.getByRole('button', { name: 'Save Players' }).click()
    const download = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: item }).click()
    return download
  }
  expect((await save('What is shown, as CSV')).suggestedFilename()).toBe('players-2026-11-22T1802.csv')
  expect((await save('The picture, as PNG')).suggestedFilename()).toBe('players-2026-11-22T1802.png')
})

test('an export: estimate, progress, file and checksum', async ({ page }) => {
  await page.clock.install({ time: now })
  const account = answerAccounts(accounts())
  const file = 'ts,server_id\r\n'
  const sha256 = '5d9d5d2aab3e2b2c7a2f9ca6e3a3b0a1c4a1b1fd0b1c4d1e2f3a4b5c6d7e8f90'
  let polls = 0
  let created: Record<string, unknown> | null = null
  const job = () => ({
    id: 'eeeeeeee-0000-4000-8000-000000000001',
    license_id: '',
    granularity: 'raw',
    format: 'csv',
    compression: 'zstd',
    tries: 1,
    error: null,
    from: '2026-11-22T18:00:00Z',
    to: '2026-11-23T18:00:00Z',
    created_at: '',
    started_at: '',
    finished_at: null,
    expires_at: '2026-11-24T18:00:00Z',
    status: polls > 1 ? 'done' : 'running',
    progress: {
      rows: polls > 1 ? 432_000 : 120_000,
      bytes: 1,
      estimate: 432_000,
      percent: polls > 1 ? 100 : 28,
    },
    manifest:
      polls > 1
        ? {
            rows: 432_000,
            bytes: 14,
            files: [
              {
                n: 0,
                name: 'day.csv.zst',
                rows: 432_000,
                bytes: 14,
                sha256,
                url: '/api/analytics/exports/x/files/0',
              },
            ],
          }
        : null,
  })
  await mockAPI(page, (path, query, route) => {
    if (path.endsWith('/files/0'))
      return route.fulfill({ body: file, contentType: 'text/csv' }).then(() => true)
    if (path.endsWith('/exports') && route.request().method() === 'POST') {
      created = route.request().postDataJSON() as Record<string, unknown>
      return route.fulfill({ status: 202, json: job() }).then(() => true)
    }
    if (path.endsWith('/exports')) {
      if (created) polls++
      return { exports: created ? [job()] : [] }
    }
    return account(path, query, route)
  })
  await page.goto('/export')
  await expect(page.getByText('Sign in to export')).toBeVisible()
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Sign in' }).last().click()
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(page.getByText('No exports yet')).toBeVisible()
  await expect(page.locator('[data-test=estimate]')).toHaveText('About 432,000 rows')
  await page.getByLabel('Compression').selectOption('zstd')
  await page.getByRole('button', { name: 'Start the export' }).click()
  await expect(page.getByText('120,000 of about 432,000 rows')).toBeVisible()
  expect(created).toMatchObject({ range: '24h', granularity: 'raw', format: 'csv', compression: 'zstd' })
  await page.clock.runFor(2_500)
  await expect(page.getByText(`SHA-256 ${sha256}`)).toBeVisible()
  // A damaged file is not saved.
  await page.getByRole('button', { name: 'day.csv.zst' }).click()
  await expect(page.getByText('The file arrived damaged', { exact: true })).toBeVisible()
  await page.clock.runFor(10_000)
  await look(page, 'export', 'light', desktop)
  await look(page, 'export', 'dark', phone)
})

test('a page that one\u2019s role does not allow says so', async ({ page }) => {
  await page.clock.install({ time: now })
  await mockAPI(page, (path, query, route) => {
    if (path.endsWith('/exports')) return problem(route, 403, 'No', {}, 'forbidden').then(() => true)
    return answerAccounts(accounts({ role: 'viewer' }))(path, query, route)
  })
  await page.goto('/sign-in?next=/export')
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).toContainText('No permission')
  await expectAccessible(page)
})

test('offline: the page says so and goes on by itself', async ({ page, context }) => {
  await page.clock.install({ time: now })
  let down = false
  await mockAPI(page, (_, __, route) => (down ? route.abort('internetdisconnected').then(() => true) : null))
  await page.goto('/servers')
  await expect(page.getByRole('heading', { name: 'Servers 50' })).toBeVisible()
  down = true
  await context.setOffline(true)
  await page.clock.runFor(61_000)
  await expect(page.getByText('You are offline.')).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'offline')
  down = false
  await context.setOffline(false)
  await page.clock.runFor(1_000)
  await expect(page.getByText('You are offline.')).toHaveCount(0)
})
