import { mockAPI, now, problem } from './mock'
import { card, expect, expectAccessible, expectCharts, screenshot, test } from './page'

test('loading is announced', async ({ page }) => {
  let release: () => void = () => undefined
  const held = new Promise<null>((resolve) => (release = () => resolve(null)))
  await mockAPI(page, () => held)
  await page.goto('/')
  await expect(page.getByRole('status')).toContainText('Reading the network')
  await expectAccessible(page)
  await screenshot(page, 'loading')
  release()
  await expectCharts(page)
})

test('the chart of players does not wait for the figures', async ({ page }) => {
  let release: () => void = () => undefined
  const held = new Promise<null>((resolve) => (release = () => resolve(null)))
  await mockAPI(page, (path) => (path.endsWith('/summary') ? held : null))
  await page.goto('/')
  await expect(page.getByRole('region', { name: 'Players' }).locator('canvas')).toBeVisible()
  await expect(page.getByRole('status')).toContainText('Reading the figures')
  await expectAccessible(page)
  await screenshot(page, 'loading-figures')
  release()
  await expect(card(page, 'Players now')).toContainText('1,834')
})

test('a server that is away: the page says so and comes back by itself', async ({ page }) => {
  await page.clock.install({ time: now })
  let away = true
  await mockAPI(page, (_, __, route) => (away ? route.abort('connectionrefused').then(() => true) : null))
  await page.goto('/')
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached')
  await expectAccessible(page)
  await screenshot(page, 'failed')
  away = false
  await page.clock.runFor(2_500)
  await expect(card(page, 'Players now')).toContainText('1,834')
})

test('stale figures stay, with since when and why', async ({ page }) => {
  await page.clock.install({ time: now })
  let down = false
  await mockAPI(page, (_, __, route) => (down ? problem(route, 503, 'Not ready').then(() => true) : null))
  await page.goto('/')
  await expect(card(page, 'Players now')).toContainText('1,834')
  await page.clock.runFor(1_000)
  await expectCharts(page)
  down = true
  await page.clock.runFor(10_000)
  await expect(page.getByText('Not up to date since 19:02:3')).toBeVisible()
  await expect(page.getByText('The server is not ready')).toBeVisible()
  await expect(card(page, 'Players now')).toContainText('1,834')
  await expectAccessible(page)
  await screenshot(page, 'stale')
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1_000) // it must not come back by itself first
  down = false
  await page.getByRole('button', { name: 'Try now' }).click()
  await expect(page.getByText('Not up to date')).toHaveCount(0)
})

test('a range that fails does not show the figures of another', async ({ page }) => {
  await mockAPI(page, (_, query, route) =>
    query.get('range') === '7d' ? problem(route, 500, 'Broken').then(() => true) : null,
  )
  await page.goto('/')
  await expect(card(page, 'Players now')).toContainText('1,834')
  await page.getByRole('radio', { name: 'Last 7 days' }).click()
  await expect(page.getByRole('alert')).toContainText('The server failed to answer')
  await expect(card(page, 'Players now')).toHaveCount(0)
})

test('without a demo: how to start one, or a token of one\u2019s own', async ({ page }) => {
  const tokens: (string | undefined)[] = []
  await mockAPI(page, (path, _, route) => {
    if (path.startsWith('/api/public/')) return problem(route, 404, 'Not found').then(() => true)
    const token = route.request().headers()['authorization']
    tokens.push(token)
    return token === 'Bearer good' ? null : problem(route, 401, 'Unauthorized').then(() => true)
  })
  await page.goto('/')
  await expect(page.getByText('corrosion serve --demo')).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'no-demo')
  await page.getByLabel('Access token').fill('bad')
  await page.getByRole('button', { name: 'Show' }).click()
  await expect(page.getByRole('alert')).toContainText('The access token is not accepted')
  await expectAccessible(page)
  await screenshot(page, 'token-refused')
  await page.getByLabel('Access token').fill(' good ')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Your network' })).toBeVisible()
  await expectCharts(page)
  expect(tokens).toContain('Bearer good')
  expect(page.url()).not.toContain('good')
  expect(
    await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])),
  ).not.toContain('good')
  await page.getByRole('button', { name: 'Forget token' }).click()
  await expect(page.getByText('corrosion serve --demo')).toBeVisible()
})
