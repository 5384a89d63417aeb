import type { EarlyAccess, Roadmap } from '../src/api/types'
import { expect, expectAccessible, inked, screenshot, test } from './page'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL: what is joined and voted here is really stored. */
const url = process.env['CORROSION_E2E_URL'] ?? ''
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.use({ baseURL: url })

const somebody = () => `e2e-${Date.now()}-${Math.random().toString(36).slice(2)}@example.org`

for (const theme of ['light', 'dark'] as const) {
  for (const [name, width] of [
    ['desktop', 1440],
    ['phone', 390],
  ] as const) {
    test(`early access, ${theme}, ${name}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme })
      await page.setViewportSize({ width, height: 900 })
      await page.goto('/early-access')
      await expect(page.locator('[data-test=countdown]')).toContainText('days')
      await expect.poll(() => inked(page, 'Players')).toBeGreaterThan(500)
      await expect(page.getByRole('heading', { name: 'Alerts', exact: true })).toBeVisible()
      await expectAccessible(page)
      await screenshot(page, `early-${theme}-${name}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
      expect(wide).toBe(false)
    })
  }
}

test('the numbers are the API’s own', async ({ page, request }) => {
  await page.goto('/early-access')
  const status = (await (await request.get('/api/early-access')).json()) as EarlyAccess
  const days = Math.floor((Date.parse(status.launch_at) - Date.parse(status.now)) / 86_400_000)
  await expect(page.locator('[data-test=countdown] b').first()).toHaveText(String(days))
  await expect(page.locator('[data-test=slots-left] b')).toHaveText(String(status.founding.left))
})

test('joining sends a proof of work and shows the place', async ({ page }) => {
  await page.goto('/early-access')
  const form = page.getByRole('form', { name: 'Join the list' })
  await form.getByLabel('Email').fill('not an email@x')
  await form.getByLabel('Game servers').fill('12')
  await expect(form).toContainText('Growing network')
  await form.getByLabel('Email').fill(somebody())
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/early-access'))
  await form.getByRole('button').click()
  const body = (await sent).postDataJSON() as { proof?: { nonces: number[] }; server_count: number }
  expect(body.server_count).toBe(12)
  expect(body.proof?.nonces.length).toBeGreaterThan(0)
  await expect(page.getByRole('status').filter({ hasText: 'You are number' })).toBeVisible()
  await expectAccessible(page)
})

test('claiming a founding slot takes one off the number left', async ({ page, request }) => {
  await page.goto('/early-access')
  const left = page.locator('[data-test=slots-left] b')
  const before = ((await (await request.get('/api/early-access')).json()) as EarlyAccess).founding.left
  const form = page.getByRole('form', { name: 'Claim a founding slot' })
  await form.getByLabel('Name of your network').fill('North')
  await form.getByLabel('Email').fill(somebody())
  await form.getByLabel('Game servers').fill('3')
  await form.getByRole('button').click()
  await expect(page.getByText(/^Founding slot \d+ of 25 is yours/)).toBeVisible()
  await expect(left).toHaveText(String(before - 1))
})

test('voting counts once, by keyboard, and can be taken back', async ({ page, request }) => {
  const votes = async () =>
    ((await (await request.get('/api/roadmap')).json()) as Roadmap).items.find((i) => i.id === 'wipe-planner')
      ?.votes
  const before = (await votes()) ?? 0
  await page.goto('/early-access')
  const item = page.locator('[data-item=wipe-planner]')
  for (const [word, want] of [
    ['Vote', before + 1],
    ['Take it back', before],
  ] as const) {
    await item.getByRole('button').focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    if (word === 'Vote') {
      await expectAccessible(page)
      await dialog.getByLabel('Email').fill(somebody())
    }
    await dialog.getByRole('button', { name: word }).click()
    await expect(dialog).toBeHidden()
    await expect(item.locator('b')).toHaveText(String(want))
    expect(await votes()).toBe(want)
  }
})

test('a fault of the server is told, and nothing is lost', async ({ page }) => {
  await page.route('**/api/early-access', (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"status":503}' })
      : route.continue(),
  )
  await page.goto('/early-access')
  const form = page.getByRole('form', { name: 'Join the list' })
  await form.getByLabel('Email').fill(somebody())
  await form.getByLabel('Game servers').fill('1')
  await form.getByRole('button').click()
  await expect(form.getByRole('alert')).toContainText('The server is not ready')
  await expect(form.getByLabel('Game servers')).toHaveValue('1')
})
