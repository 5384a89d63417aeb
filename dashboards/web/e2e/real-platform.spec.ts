import type { Page } from '@playwright/test'
import type { IngestBody, Job, PlatformLicense } from '../src/api/platform'
import { formatValue } from '../src/lib/format'
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

test('an administrator\u2019s walk: licenses and jobs', async ({ page }) => {
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
  await expectAccessible(page)
  await screenshot(page, 'real-admin-jobs')
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
