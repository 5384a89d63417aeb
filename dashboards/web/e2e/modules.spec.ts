import type { Page } from '@playwright/test'
import { accounts, answerAccounts } from './account'
import { mockAPI, now, problem, type Answer } from './mock'
import { desktop, expect, expectAccessible, look, phone, test } from './page'
import { answerShop, busyShop, ids, shop, type Shop } from './shop'

/** Signs in to the made-up network and opens a page; `answer` may take over any request. */
async function open(
  page: Page,
  path: string,
  s: Shop,
  role: 'owner' | 'viewer' = 'owner',
  answer: Answer = () => null,
): Promise<void> {
  await page.clock.install({ time: now })
  const usual = [answer, answerShop(s), answerAccounts(accounts({ role }))]
  await mockAPI(page, async (...asked) => {
    for (const one of usual) {
      const said = (await one(...asked)) ?? null
      if (said !== null) return said
    }
    return null
  })
  await page.goto(`/sign-in?next=${encodeURIComponent(path)}`)
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 }).first()).not.toHaveText(/Sign in/)
}

const box = (page: Page) => page.getByRole('dialog')
const pages = [
  { name: 'modules', path: '/modules', there: 'Kits' },
  { name: 'purchases', path: '/modules?section=purchases', there: 'Paid' },
  { name: 'installations', path: '/modules?section=installations', there: 'There is no room' },
  { name: 'module', path: '/modules/loot-tuner', there: 'Crates of the new map.' },
  { name: 'purchase', path: `/modules/purchases/${ids.purchase}`, there: 'R-2026-000017' },
  { name: 'installation', path: `/modules/installations/${ids.broken}`, there: 'There is no room' },
  { name: 'rollout', path: `/modules/loot-tuner/rollouts/${ids.rollout}`, there: 'Batch 1 of 2 is out.' },
]
const there = (page: Page, text: string) => page.getByRole('main').getByText(text).first()

for (const { name, path, there: text } of pages) {
  test(`the page ${name} in both themes, on a desktop and a phone`, async ({ page }) => {
    test.setTimeout(240_000) // axe looks at it twice
    await open(page, path, busyShop())
    await expect(there(page, text)).toBeVisible()
    await look(page, name, 'light', desktop)
    await look(page, name, 'dark', phone)
  })
}

test('what somebody wrote of a module cannot run in the page', async ({ page }) => {
  await open(page, '/modules/loot-tuner', busyShop())
  const prose = page.locator('.prose').first()
  await expect(prose).toContainText('<script>alert(1)</script>')
  await expect(prose.getByRole('link')).toHaveCount(1)
  await expect(prose.getByRole('link', { name: 'the guide' })).toHaveAttribute('rel', /noopener/)
  await expect(prose.getByRole('heading', { name: 'What it does', level: 3 })).toBeVisible()
})

test('who clicks right after typing goes there, however slowly the page comes', async ({ page }) => {
  await page.route('**/assets/Module-*.js', async (route) => {
    await new Promise((done) => setTimeout(done, 1000))
    await route.continue()
  })
  await open(page, '/modules', shop())
  await page.getByLabel('Search').fill('loot')
  await page.getByRole('link', { name: 'Loot tuner' }).click()
  await expect(page.getByRole('button', { name: 'Buy' })).toBeVisible()
})

test('a module is found, bought once, installed, and the installation cancelled', async ({ page }) => {
  const s = shop()
  await open(page, '/modules', s)
  await page.getByLabel('Search').fill('nothing like it')
  await expect(page.getByText('No module fits')).toBeVisible()
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Show all' }).click()
  await page.getByLabel('Price').selectOption('free')
  await expect(page.locator('[data-module]')).toHaveCount(1)
  await page.getByLabel('Price').selectOption('')
  await page.getByRole('link', { name: 'Loot tuner' }).click()
  await page.getByRole('button', { name: 'Buy' }).click()
  await expect(box(page).locator('[data-test=price]')).toHaveText('US$9.99')
  await expectAccessible(page)
  await box(page).getByRole('button', { name: 'Buy for US$9.99' }).click()
  await expect(page.getByText('R-2026-000017')).toBeVisible()
  expect(s.asked[0]).toMatchObject({
    what: 'POST loot-tuner/purchase',
    body: { amount: '9.99', currency: 'USD' },
    key: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
  })
  await page.getByRole('link', { name: 'The module' }).click()
  await page.getByRole('button', { name: 'Install', exact: true }).click()
  await expect(box(page).getByRole('button', { name: 'Install' })).toBeDisabled()
  await box(page).getByLabel('Server').selectOption({ label: 'demo-03 (agent missing)' })
  await expect(box(page)).toContainText('No agent was ever heard of')
  await expectAccessible(page)
  await box(page).getByRole('button', { name: 'Install' }).click()
  await expect(page.getByRole('heading', { name: 'The server has no agent yet' })).toBeVisible()
  await look(page, 'installation-no-agent', 'dark', desktop)
  const file = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Enrol the agent' }).click()
  expect((await file).suggestedFilename()).toBe('agent-demo-01.json')
  await page.getByRole('button', { name: 'Cancel: loot-tuner 1.1.0 on demo-01' }).click()
  await expectAccessible(page)
  await box(page).getByRole('button', { name: 'Cancel it' }).click()
  await expect(page.getByRole('heading', { name: 'Cancelled' })).toBeVisible()
  expect(s.asked.map((a) => a.what)).toEqual([
    'POST loot-tuner/purchase',
    'POST loot-tuner/install',
    `DELETE installations/${ids.installation}`,
  ])
})

test('whoever comes back from the payment has the module', async ({ page }) => {
  const s = shop({ paypal: true })
  await open(page, '/modules/loot-tuner', s)
  await page.getByRole('button', { name: 'Buy' }).click()
  await box(page).getByRole('button', { name: 'Buy for' }).click()
  await expect(page.getByText('R-2026-000017')).toBeVisible()
  await expect(page).toHaveURL(new RegExp(`/modules/purchases/${ids.purchase}$`))
  expect(s.asked.at(-1)?.what).toBe(`POST purchases/${ids.purchase}/capture`)
})

test('a rollout is begun, paused and cancelled', async ({ page }) => {
  const s = busyShop()
  s.rollouts = []
  await open(page, '/modules/loot-tuner', s)
  await page.getByRole('button', { name: 'Roll out to many' }).click()
  await box(page).getByRole('searchbox').fill('region:eu')
  await box(page).getByRole('button', { name: 'Choose the 25 found' }).click()
  await expect(box(page)).toContainText('25 servers in 3 batches, at least 10 min')
  await box(page).getByLabel('Servers at once').fill('0')
  await expect(box(page).getByRole('button', { name: 'Start the rollout' })).toBeDisabled()
  await box(page).getByLabel('Servers at once').fill('5')
  await look(page, 'rollout-dialog', 'light', desktop)
  await look(page, 'rollout-dialog', 'dark', phone)
  await box(page).getByRole('button', { name: 'Start the rollout' }).click()
  await expect(page.getByRole('heading', { name: 'Running' })).toBeVisible()
  expect(s.asked[0]?.body).toMatchObject({ batch_size: 5, pause_s: 300, guard: { drop_percent: 20 } })
  await page.getByRole('button', { name: 'Pause' }).click()
  await box(page).getByRole('button', { name: 'Pause it' }).click()
  await expect(page.getByRole('heading', { name: 'Paused' })).toBeVisible()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await box(page).getByRole('button', { name: 'Cancel it' }).click()
  await expect(page.getByRole('heading', { name: 'Cancelled' })).toBeVisible()
})

test('the live stream moves an installation on without a reload', async ({ page }) => {
  const told = {
    installation_id: ids.installation,
    server_id: 'demo-01',
    module: 'loot-tuner',
    version: '1.1.0',
  }
  const event = { ...told, status: 'downloading', progress: 42, error: null, code: null, attempt: 1 }
  // A stream that stays open, and says something when the test wants it.
  await page.addInitScript(() => {
    const real = window.fetch
    window.fetch = (input, init) => {
      if (!String(input).endsWith('/live')) return real(input, init)
      const start = (c: ReadableStreamDefaultController<Uint8Array>) =>
        Object.assign(window, { say: (text: string) => c.enqueue(new TextEncoder().encode(text)) })
      const headers = { 'Content-Type': 'text/event-stream' }
      return Promise.resolve(new Response(new ReadableStream({ start }), { headers }))
    }
  })
  const s = busyShop()
  await open(page, `/modules/installations/${ids.installation}`, s)
  await expect(page.getByRole('heading', { name: 'Sent' })).toBeVisible()
  const say = (data: object) =>
    page.evaluate(
      (text) => (window as unknown as { say(text: string): void }).say(text),
      `event: installation\ndata: ${JSON.stringify(data)}\n\n`,
    )
  await say({ ...event, at: new Date(now).toISOString() })
  await expect(page.getByRole('heading', { name: 'Downloading' })).toBeVisible()
  await expect(page.getByRole('progressbar', { name: 'Progress' })).toHaveAttribute('aria-valuenow', '42')
  await expectAccessible(page)
})

test('a viewer looks, and is offered nothing to buy or change', async ({ page }) => {
  await open(page, '/modules/loot-tuner', busyShop(), 'viewer')
  await expect(page.getByText('You may look.')).toBeVisible()
  for (const name of ['Buy', 'Install', 'Roll out to many', /^Cancel/, /^Retry/])
    await expect(page.getByRole('button', { name, exact: true })).toHaveCount(0)
  await expectAccessible(page)
  await page.goto('/servers/demo-01')
  const section = page.getByRole('region', { name: 'Modules' })
  await expect(section.locator('[data-installation]')).toHaveCount(1)
  await expect(section.getByRole('button')).toHaveCount(0)
})

test('without anything the pages say what to do, and what is not there is said', async ({ page }) => {
  await open(page, '/modules', shop({ modules: [] }))
  await expect(page.getByText('The catalogue is empty')).toBeVisible()
  await expectAccessible(page)
  const tabs = page.getByRole('navigation', { name: 'Sections of the modules' })
  for (const [tab, words] of [
    ['Installations', 'Nothing was installed yet'],
    ['Purchases', 'Nothing was bought yet'],
  ] as const) {
    await tabs.getByRole('link', { name: tab }).click()
    await expect(page.getByText(words)).toBeVisible()
    await expectAccessible(page)
  }
  for (const [path, words] of [
    ['/modules/none', 'There is no such module'],
    [`/modules/purchases/${ids.purchase}`, 'There is no such purchase'],
    [`/modules/installations/${ids.broken}`, 'There is no such installation'],
    [`/modules/none/rollouts/${ids.rollout}`, 'There is no such rollout'],
  ] as const) {
    await page.goto(path)
    await expect(page.getByText(words)).toBeVisible()
    await expectAccessible(page)
  }
})

test('failing, offline and without permission the pages say so', async ({ page, context }) => {
  let way: 'fails' | 'gone' | 'forbidden' | 'fine' = 'fails'
  await open(page, '/modules', busyShop(), 'owner', (path, _, route) => {
    if (!path.startsWith('/api/modules') || way === 'fine') return null
    if (way === 'gone') return route.abort('internetdisconnected').then(() => true)
    const [status, code] = way === 'fails' ? [500, 'broken'] : [403, 'forbidden']
    return problem(route, status as number, 'No', {}, code as string).then(() => true)
  })
  for (const { path, there: text } of pages) {
    way = 'fails'
    await page.goto(path)
    await expect(page.getByRole('alert').first()).toContainText('The server failed to answer')
    way = 'fine'
    await page.getByRole('button', { name: 'Try again' }).first().click()
    await expect(there(page, text)).toBeVisible()
  }
  way = 'gone'
  await context.setOffline(true)
  await page.clock.runFor(11_000)
  await expect(page.getByText('You are offline.').first()).toBeVisible()
  await expectAccessible(page)
  await context.setOffline(false)
  way = 'forbidden'
  await page.goto('/modules')
  await expect(page.getByText('No permission')).toBeVisible()
  await expectAccessible(page)
})
