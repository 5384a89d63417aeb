import type { Page } from '@playwright/test'
import type { IngestBody, IngestHealth, Job, Kept, PlatformLicense } from '../src/api/platform'
import { formatBytes, formatValue } from '../src/lib/format'
import { outcomeText } from '../src/lib/ingest'
import { desktop, expect, expectAccessible, screenshot, test } from './page'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL, with what `corrosion admin create` printed. */
const url = process.env['CORROSION_E2E_URL'] ?? ''
const printed = process.env['CORROSION_E2E_ADMIN'] ?? ''
test.skip(url === '' || printed === '', 'CORROSION_E2E_URL or CORROSION_E2E_ADMIN is not set')
test.use({ baseURL: url, viewport: desktop })

const place = { locale: 'en-GB', timeZone: 'Europe/Berlin' }
const count = (v: number) => formatValue('count', v, place)
const row = (page: Page, name: string, value: string) => page.locator(`[data-${name}="${value}"]`)
const answerTo = async <T>(page: Page, path: string) =>
  (await (await page.waitForResponse((r) => r.url().includes(path) && r.ok())).json()) as T

/** Signs in with the one-time password and chooses one to keep. */
async function begin(page: Page): Promise<void> {
  const admin = JSON.parse(printed) as { email: string; password: string }
  await page.goto('/sign-in?next=/admin')
  await page.getByLabel('Email').fill(admin.email)
  await page.getByLabel('Password').fill(admin.password)
  await page.keyboard.press('Enter')
  await page.getByLabel('One-time password').fill(admin.password)
  await page.getByLabel('New password').fill('seven wide barrels')
  await page.getByLabel('The same again').fill('seven wide barrels')
  await page.getByRole('button', { name: 'Change it' }).click()
  await expect(page).toHaveURL(/\/admin$/)
}

test('an administrator\u2019s walk: licenses, jobs, a module, retention, the log and ingest', async ({
  page,
}) => {
  test.setTimeout(240_000)
  const listed = answerTo<{ licenses: PlatformLicense[] }>(page, '/api/admin/licenses')
  await begin(page)
  const tabs = page.getByRole('navigation', { name: 'Administration' })
  const { licenses } = await listed
  for (const l of licenses)
    await expect(row(page, 'license', l.license_id)).toContainText(l.owner || 'nobody')
  await expect(page.getByText(`${licenses.length} license`)).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'real-admin-licenses')

  const jobs = answerTo<{ jobs: Job[] }>(page, '/api/admin/jobs')
  await tabs.getByRole('link', { name: 'Jobs' }).click()
  for (const j of (await jobs).jobs) await expect(row(page, 'job', j.job)).toContainText(j.schedule)
  await page.getByRole('button', { name: 'Run verify', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Run it' }).click()
  const note = row(page, 'request', 'verify')
  await expect(note).toHaveAttribute('data-state', 'ok', { timeout: 90_000 })
  const run = /run (\d+)/.exec((await note.textContent()) ?? '')?.[1] ?? ''
  await expect(row(page, 'run', run)).toContainText('manual')
  await expectAccessible(page)
  await screenshot(page, 'real-admin-jobs')

  await tabs.getByRole('link', { name: 'Modules' }).click()
  const slug = `walk-${Date.now()}`
  await page.getByRole('button', { name: 'Add a module' }).click()
  const box = page.getByRole('dialog')
  await box.getByLabel('Slug').fill(slug)
  await box.getByLabel('Name').fill('Walked')
  await box.getByLabel('Description').fill('What a walk adds.')
  await box.getByLabel('Publisher').fill('Walkers')
  await box.getByLabel('Category').fill('tools')
  await box.getByRole('button', { name: 'Add it' }).click()
  await expect(page).toHaveURL(new RegExp(`/admin/modules/${slug}$`))
  await page.getByRole('button', { name: 'Add a version' }).click()
  await box.getByLabel('Version', { exact: true }).fill('1.0.0')
  const buffer = Buffer.from('class Walk {}')
  await box.getByLabel('Plugin file').setInputFiles({ name: 'Walk.cs', mimeType: 'text/plain', buffer })
  await box.getByRole('button', { name: 'Add it' }).click()
  await page.getByRole('button', { name: 'Publish 1.0.0' }).click()
  await box.getByRole('button', { name: 'Publish' }).click()
  await expect(row(page, 'version', '1.0.0')).toContainText('published')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await box.getByRole('button', { name: 'Publish' }).click()
  await expect(page.locator('[data-test=status]')).toHaveText('published')
  await screenshot(page, 'real-admin-module')

  const kept = answerTo<Kept>(page, '/api/admin/retention')
  await tabs.getByRole('link', { name: 'Retention' }).click()
  for (const t of (await kept).tables) {
    await expect(row(page, 'table', t.table)).toContainText(count(t.rows))
    await expect(row(page, 'table', t.table)).toContainText(formatBytes(t.bytes, place))
  }
  await tabs.getByRole('link', { name: 'Audit' }).click()
  await expect(page.locator('[data-entry]').filter({ hasText: slug }).first()).toBeVisible()
  await expectAccessible(page)

  const health = answerTo<IngestHealth>(page, '/api/admin/ingest')
  await page.getByRole('link', { name: 'Ingest health' }).click()
  const { licenses: busy, streams } = await health
  expect(streams.length).toBeGreaterThan(0)
  for (const s of streams) await expect(row(page, 'stream', s.stream)).toBeVisible()
  for (const l of busy) await expect(row(page, 'license', l.license_id)).toContainText(count(l.accepted))
  await expectAccessible(page)
  await screenshot(page, 'real-ingest-platform')
})

test('the demo\u2019s people see the API\u2019s counts of their samples', async ({ page }) => {
  await page.goto('/sign-in?next=/ingest')
  await page.getByLabel('Email').fill('demo@corrosion.local')
  await page.getByLabel('Password').fill('demo')
  const answer = answerTo<IngestBody>(page, '/api/analytics/ingest')
  await page.keyboard.press('Enter')
  for (const o of (await answer).outcomes) {
    await expect(row(page, 'outcome', o.outcome)).toContainText(outcomeText(o.outcome))
    await expect(row(page, 'outcome', o.outcome)).toContainText(count(o.total))
  }
  await expect(page.getByRole('heading', { name: 'The whole platform' })).toHaveCount(0)
  await expectAccessible(page)
  await screenshot(page, 'real-ingest')
})
