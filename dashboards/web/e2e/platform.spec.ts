import type { Page } from '@playwright/test'
import { accounts, answerAccounts } from './account'
import { mockAPI, now, problem } from './mock'
import { desktop, expect, expectAccessible, look, phone, test } from './page'
import { answerPlatform, license, platform } from './platform'

type Platform = ReturnType<typeof platform>

/** Signs in to the made-up platform and opens a page. */
async function open(page: Page, path: string, p: Platform, admin = true): Promise<void> {
  await page.clock.install({ time: now })
  const account = answerAccounts(accounts({ platform_admin: admin }))
  const answer = answerPlatform(p)
  await mockAPI(
    page,
    async (at, query, route) => (await answer(at, query, route)) ?? account(at, query, route),
  )
  await page.goto(`/sign-in?next=${encodeURIComponent(path)}`)
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).not.toHaveText(/Sign in/)
}

const row = (page: Page, name: string, value: string) => page.locator(`[data-${name}="${value}"]`)

test('a network\u2019s people see what became of their samples, and nothing of the platform', async ({
  page,
}) => {
  await open(page, '/ingest', platform(), false)
  await expect(row(page, 'outcome', 'quota_servers')).toContainText('42 samples')
  await expect(row(page, 'outcome', 'quota_servers')).toContainText('retire some')
  await expect(row(page, 'quota', 'Samples a second')).toContainText('85.0\u00a0%')
  await expect(row(page, 'quota', 'Servers in an hour')).toContainText('42')
  await expect(page.getByRole('heading', { name: 'The whole platform' })).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'Administration' })).toHaveCount(0)
  await look(page, 'ingest', 'light', desktop)
  await look(page, 'ingest', 'dark', phone)
})

test('administrators see streams, licenses and dead letters, and replay or remove them', async ({ page }) => {
  const p = platform()
  await open(page, '/ingest', p)
  await expect(row(page, 'stream', 'SAMPLES')).toContainText('6 s')
  await expect(row(page, 'license', license.license_id)).toContainText('Over the servers quota: 42')
  await look(page, 'ingest-platform', 'dark', desktop)
  await look(page, 'ingest-platform', 'light', phone)
  await page.setViewportSize(desktop)
  await page.getByRole('button', { name: 'Show letter 7' }).click()
  const box = page.getByRole('dialog')
  await expect(box).toContainText('{"ts": 1, "pla')
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Remove all of these' }).click()
  await expect(box).toContainText('Nobody can bring their samples back')
  await expectAccessible(page)
  await box.getByRole('button', { name: 'Remove them' }).click()
  await expect(page.getByText('No dead letters', { exact: true })).toBeVisible()
  expect(p.changes).toEqual([{ what: 'POST dead-letters/purge', body: { all: true } }])
})

test('a license is suspended with a reason, and resumed', async ({ page }) => {
  const p = platform()
  await open(page, '/admin', p)
  await look(page, 'admin-licenses', 'light', desktop)
  await look(page, 'admin-licenses', 'dark', phone)
  await page.setViewportSize(desktop)
  await page.getByRole('button', { name: 'Suspend Rusty Europe' }).click()
  const box = page.getByRole('dialog')
  await expect(box.getByRole('button', { name: 'Suspend', exact: true })).toBeDisabled()
  await box.getByLabel('Reason').fill('Unpaid')
  await expectAccessible(page)
  await box.getByRole('button', { name: 'Suspend', exact: true }).click()
  await expect(row(page, 'license', license.license_id)).toContainText('suspended')
  await page.getByRole('button', { name: 'Resume Rusty Europe' }).click()
  await box.getByRole('button', { name: 'Resume', exact: true }).click()
  await expect(row(page, 'license', license.license_id)).toContainText('active')
  expect(p.changes.map((c) => c.body)).toEqual([{ reason: 'Unpaid' }, ''])
  await page.getByRole('link', { name: 'Rusty Europe' }).click()
  await expect(row(page, 'quota', 'servers')).toContainText('60')
  await page.getByRole('button', { name: 'Change the quotas' }).click()
  await box.getByLabel('Servers in an hour').fill('80')
  await box.getByRole('button', { name: 'Save' }).click()
  await expect(box).toHaveCount(0)
  expect(p.changes.at(-1)?.body).toEqual({
    samples_per_second: null,
    bytes_per_second: 0,
    servers: 80,
    metric_names: null,
  })
  await look(page, 'admin-license', 'light', desktop)
})

test('a job is run by hand, and the page says how it goes', async ({ page }) => {
  const p = platform()
  await open(page, '/admin/jobs', p)
  await expect(row(page, 'run', '41')).toContainText('840\u00a0ms')
  await page.getByRole('button', { name: 'Run verify' }).click()
  await expectAccessible(page)
  await page.getByRole('dialog').getByRole('button', { name: 'Run it' }).click()
  const note = row(page, 'request', 'verify')
  await expect(note).toContainText('Runs, run 42')
  p.over = true
  await page.clock.runFor(2_000)
  await expect(note).toHaveAttribute('data-state', 'ok')
  await look(page, 'admin-jobs', 'light', desktop)
  await look(page, 'admin-jobs', 'dark', phone)
})

test('a module comes to sale: a version is uploaded and both are published', async ({ page }) => {
  const p = platform()
  await open(page, '/admin/modules/loot-tuner', p)
  await expect(page.getByRole('button', { name: 'Publish', exact: true })).toBeDisabled()
  await page.getByRole('button', { name: 'Add a version' }).click()
  const box = page.getByRole('dialog')
  await box.getByLabel('Version', { exact: true }).fill('1.0.0')
  await box
    .getByLabel('Plugin file')
    .setInputFiles({ name: 'Loot.cs', mimeType: 'text/plain', buffer: Buffer.from('class Loot {}') })
  await expectAccessible(page)
  await box.getByRole('button', { name: 'Add it' }).click()
  await page.getByRole('button', { name: 'Publish 1.0.0' }).click()
  await box.getByRole('button', { name: 'Publish' }).click()
  await expect(row(page, 'version', '1.0.0')).toContainText('published')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await box.getByRole('button', { name: 'Publish' }).click()
  await expect(page.locator('[data-test=status]')).toHaveText('published')
  expect(String(p.changes[0]?.body)).toContain('"version":"1.0.0"')
  await look(page, 'admin-module', 'light', desktop)
  await look(page, 'admin-module', 'dark', phone)
})

test('shorter retention says what it deletes before it does', async ({ page }) => {
  const p = platform()
  await open(page, '/admin/retention', p)
  await page.getByLabel('Days that samples are kept').fill('7')
  await page.getByRole('button', { name: 'Change…' }).click()
  await expect(page.getByRole('dialog')).toContainText('900,000 rows')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Delete and change' }).click()
  await expect(page.getByRole('dialog')).toHaveCount(0)
  expect(p.changes[0]?.body).toEqual({ raw_days: 7, hourly_days: 400, confirm: true })
  await look(page, 'admin-retention', 'dark', desktop)
})

test('the list for early access is taken away by segment', async ({ page }) => {
  await open(page, '/admin/early-access', platform())
  await page.getByLabel('Segment', { exact: true }).selectOption('2-5')
  await expect(row(page, 'place', '4')).toContainText('bob@example.org')
  const download = page.waitForEvent('download')
  const asked = page.waitForRequest((r) => r.url().includes('/early-access/export?segment=2-5'))
  await page.getByRole('button', { name: 'Save as CSV' }).click()
  await asked
  expect((await download).suggestedFilename()).toBe('early-access.csv')
  await look(page, 'admin-early', 'light', phone)
})

test('empty parts say what to do', async ({ page }) => {
  await open(page, '/ingest', platform({ empty: true }))
  await expect(page.getByText('Nothing arrived in this time')).toBeVisible()
  await expect(page.getByText('No license published anything')).toBeVisible()
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Administration' }).click()
  const tabs = page.getByRole('navigation', { name: 'Administration' })
  const says = {
    Licenses: 'There are no licenses yet',
    Jobs: 'No aggregator has started yet',
    Modules: 'There are no modules yet',
    Audit: 'Nothing was done yet',
    'Early access': 'Nobody is on the list yet',
  }
  for (const [tab, words] of Object.entries(says)) {
    await tabs.getByRole('link', { name: tab }).click()
    await expect(page.getByText(words)).toBeVisible()
    await expectAccessible(page)
  }
})

test('failing, without permission and offline the pages say so', async ({ page, context }) => {
  await page.clock.install({ time: now })
  const account = answerAccounts(accounts({ platform_admin: true }))
  let down = false
  await mockAPI(page, (path, query, route) => {
    if (down) return route.abort('internetdisconnected').then(() => true)
    if (path === '/api/analytics/ingest') return problem(route, 503, 'No').then(() => true)
    if (path.startsWith('/api/admin/')) return problem(route, 403, 'No', {}, 'forbidden').then(() => true)
    return account(path, query, route)
  })
  await page.goto('/sign-in?next=/ingest')
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(page.getByText('The server is not ready')).toBeVisible()
  await expect(page.getByText('No permission').first()).toBeVisible()
  await expectAccessible(page)
  down = true
  await context.setOffline(true)
  await expect(page.getByText('You are offline').first()).toBeVisible()
  await expectAccessible(page)
})

test('who administers nothing is told so', async ({ page }) => {
  await open(page, '/admin', platform(), false)
  await expect(page.getByText('It is for those who run this platform.')).toBeVisible()
  await expectAccessible(page)
})
