import { card, expect, expectAccessible, expectCharts, screenshot, test as base } from './page'
import { FaultyProxy } from './proxy'
import { url } from './real'

/** Against a running `corrosion serve --demo`, through a network that can be made to fail. */
const test = base.extend<{ network: FaultyProxy }>({
  network: async ({}, use) => {
    const proxy = await FaultyProxy.before(url)
    await use(proxy)
    proxy.close()
  },
})
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.setTimeout(240_000) // what is waited for are the page's own limits, 20 to 40 s each

const live = /Live, updated/
const patience = { timeout: 90_000 }

test('a network that breaks off: figures stay with since when, and all comes back by itself', async ({
  page,
  network,
}) => {
  await page.goto(network.url)
  await expectCharts(page)
  await expect(page.locator('[data-test=freshness]')).toContainText(live, patience)
  network.set('refusing')
  await expect(page.getByText(/Not up to date since \d\d:\d\d:\d\d/)).toBeVisible(patience)
  await expect(page.getByText('The server cannot be reached')).toBeVisible()
  await expect(card(page, 'Average').locator('.number')).toHaveText(/\d/)
  await expectAccessible(page)
  await screenshot(page, 'real-broken-off')
  network.set('fair')
  await expect(page.getByText('Not up to date')).toHaveCount(0, patience)
  await expect(page.locator('[data-test=freshness]')).toContainText(live, patience)
})

test('a network that goes silent: the page does not wait for ever, and says so', async ({
  page,
  network,
}) => {
  await page.goto(network.url)
  await expectCharts(page)
  network.set('silent')
  await expect(page.getByText('The server takes too long to answer')).toBeVisible(patience)
  await expect(page.getByText(/Not up to date since/)).toBeVisible()
  network.set('fair')
  await page.getByRole('button', { name: 'Try now' }).click()
  await expect(page.getByText('Not up to date')).toHaveCount(0, patience)
})

test('answers that are cut off in the middle are failures, not figures', async ({ page, network }) => {
  await page.goto(network.url)
  await expectCharts(page)
  network.set('cutting')
  await page.getByRole('radio', { name: 'Last 7 days' }).click()
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached', patience)
  await expect(card(page, 'Average')).toHaveCount(0)
  network.set('fair')
  await expectCharts(page)
  await expect(page).toHaveURL(/range=7d/)
})

test('a slow network: the page says what it waits for, then has everything', async ({ page, network }) => {
  network.delay = 400
  await page.goto(network.url)
  await expect(page.getByRole('status').filter({ hasText: /Reading the (network|figures)/ })).toBeVisible()
  await expectCharts(page)
  await expect(card(page, 'Average').locator('.number')).toHaveText(/\d/)
})
