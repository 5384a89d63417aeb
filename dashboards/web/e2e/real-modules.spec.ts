import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import type { Module, Receipt } from '../src/api/modules'
import { formatPrice } from '../src/lib/modules'
import { expect, expectAccessible, screenshot, test } from './page'
import { place, settle, url } from './real'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL: a network made here buys, installs and rolls out. */
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.use({ baseURL: url })

const program = join(import.meta.dirname, '../../../bin/corrosion')
const box = (page: Page) => page.getByRole('dialog')
const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true })

/** Runs the agent of a server on a plugin directory of its own until `end` is called; it ends by itself on SIGTERM. */
function startAgent(credentials: string, dir: string) {
  const { license_id, server_id } = JSON.parse(readFileSync(credentials, 'utf8')) as Record<string, string>
  const who = ['--license', license_id ?? '', '--server-id', server_id ?? '']
  const agent = spawn(program, ['agent', ...who, '--plugins', dir, '--credentials', credentials], {
    stdio: 'ignore',
  })
  return () =>
    new Promise((resolve) => {
      agent.once('exit', resolve)
      agent.kill('SIGTERM')
    })
}

async function install(page: Page, server: string): Promise<void> {
  await page.goto('/modules/loot-manager')
  await page.getByRole('button', { name: 'Install', exact: true }).click()
  await box(page).getByLabel('Server').selectOption(server)
  await box(page).getByRole('button', { name: 'Install' }).click()
  await expect(page).toHaveURL(/\/modules\/installations\//)
}

test('a network buys Loot Manager, installs it by an agent, and rolls it out', async ({ page }) => {
  test.setTimeout(240_000)
  const headers: Record<string, string> = {}
  page.on('request', (r) => Object.assign(headers, pickToken(r.headers())))
  await settle(page, 'Rusty Modules')
  for (const server_id of ['eu-1', 'eu-2', 'eu-3'])
    expect((await page.request.post('/api/analytics/servers', { headers, data: { server_id } })).ok()).toBe(
      true,
    )

  // The catalogue, and the module with the API's own price.
  const { modules } = (await (await page.request.get('/api/modules', { headers })).json()) as {
    modules: Module[]
  }
  await page.getByRole('link', { name: 'Modules', exact: true }).click()
  for (const m of modules) await expect(page.locator(`[data-module="${m.slug}"]`)).toContainText(m.name)
  await expectAccessible(page)
  await screenshot(page, 'real-modules')
  await page.getByLabel('Search').fill('no such thing')
  await expect(page.getByText('No module fits')).toBeVisible()
  await page.getByLabel('Search').fill('loot')
  await page.getByRole('link', { name: 'Loot Manager' }).click()
  const price = formatPrice('9.99', 'USD', place)
  await expect(page.locator('[data-test=price]').first()).toHaveText(price)
  await expectAccessible(page)
  await screenshot(page, 'real-module')

  // Bought once: the receipt is the API's.
  await page.getByRole('button', { name: 'Buy' }).click()
  const settled = page.waitForResponse((r) => r.url().endsWith('/receipt') && r.ok())
  await box(page)
    .getByRole('button', { name: `Buy for ${price}` })
    .click()
  const receipt = (await (await settled).json()) as Receipt
  await expect(page.getByText(receipt.receipt_number)).toBeVisible()
  await expect(page.locator('[data-test=paid]')).toContainText(price)
  await expectAccessible(page)
  await screenshot(page, 'real-purchase')
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save it to print' }).click()
  expect(readFileSync(await (await saved).path(), 'utf8')).toContain(receipt.receipt_number)
  await page.goto('/modules?section=purchases')
  await expect(page.locator(`[data-purchase="${receipt.purchase_id}"]`)).toContainText('Paid')

  // Without an agent the page says what to do; what was not begun is cancelled.
  await install(page, 'eu-1')
  await expect(heading(page, 'The server has no agent yet')).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'real-installation')
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Enrol the agent' }).click()
  const dir = mkdtempSync(join(tmpdir(), 'plugins-'))
  const credentials = join(dir, '..', `${Date.now()}-agent.json`)
  await (await download).saveAs(credentials)
  chmodSync(credentials, 0o600)
  await page.getByRole('button', { name: /^Cancel: / }).click()
  await box(page).getByRole('button', { name: 'Cancel it' }).click()
  await expect(heading(page, 'Cancelled')).toBeVisible()

  // With one it is installed, as the page tells without being loaded again.
  await install(page, 'eu-1')
  const end = startAgent(credentials, dir)
  try {
    await expect(heading(page, 'Installed')).toBeVisible({ timeout: 60_000 })
    expect(existsSync(join(dir, 'LootManager.cs'))).toBe(true)
    await screenshot(page, 'real-installed')
    await page.getByRole('link', { name: 'The server' }).click()
    const section = page.getByRole('region', { name: 'Modules' })
    await section.getByRole('button', { name: /^Uninstall: / }).click()
    await box(page).getByRole('button', { name: 'Uninstall' }).click()
    await expect(section.locator('[data-status=uninstalled]')).toHaveCount(1)
    expect(existsSync(join(dir, 'LootManager.cs'))).toBe(false)
  } finally {
    await end()
    rmSync(dir, { recursive: true, force: true })
    rmSync(credentials, { force: true })
  }

  // A rollout waits where no agent takes it, is paused, and ends.
  await page.goto('/modules/loot-manager')
  await page.getByRole('button', { name: 'Roll out to many' }).click()
  await box(page).getByRole('searchbox').fill('eu-')
  await box(page).getByRole('button', { name: 'Choose the 3 found' }).click()
  await box(page).getByLabel('Servers at once').fill('2')
  await box(page).getByRole('button', { name: 'Start the rollout' }).click()
  await expect(heading(page, 'Running')).toBeVisible()
  await expect(page.getByText('Batch 1 of 2 is out.')).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'real-rollout')
  await page.getByRole('button', { name: 'Pause' }).click()
  await box(page).getByRole('button', { name: 'Pause it' }).click()
  await expect(heading(page, 'Paused')).toBeVisible()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await box(page).getByRole('button', { name: 'Cancel it' }).click()
  await expect(heading(page, 'Cancelled')).toBeVisible()
})

const pickToken = (headers: Record<string, string>) =>
  headers['authorization'] ? { Authorization: headers['authorization'] } : {}

test('the demo\u2019s viewer may look at modules', async ({ page }) => {
  await page.goto('/sign-in?next=/modules/loot-manager')
  await page.getByLabel('Email').fill('demo@corrosion.local')
  await page.getByLabel('Password').fill('demo')
  await page.keyboard.press('Enter')
  await expect(page.getByText('You may look.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Buy' })).toHaveCount(0)
  await expectAccessible(page)
})
