import type { Summary, Timeseries } from '../src/api/types'
import { formatMoment, formatValue, type Kind } from '../src/lib/format'
import { card, expect, expectAccessible, expectCharts, screenshot, test } from './page'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL. */
const url = process.env['CORROSION_E2E_URL'] ?? ''
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.use({ baseURL: url })

const place = { locale: 'en-GB', timeZone: 'Europe/Berlin' }
const text = (kind: Kind, v: number | null) => formatValue(kind, v, place)

test('the demo network has charts, and the page keeps to its own server', async ({ page }) => {
  const elsewhere: string[] = []
  page.on('request', (r) => {
    if (!r.url().startsWith(url)) elsewhere.push(r.url())
  })
  const response = await page.goto('/')
  expect(response?.headers()['content-security-policy']).toContain("default-src 'none'")
  await expectCharts(page)
  await expectAccessible(page)
  await screenshot(page, 'real')
  expect(elsewhere).toEqual([])
})

for (const range of ['24h', '7d', '30d']) {
  test(`the figures of ${range} are the API's own`, async ({ page }) => {
    // The page shows the very answers that arrived: compare with these, not with a later question.
    const answers = page.waitForResponse((r) => r.url().includes(`/summary?range=${range}`) && r.ok())
    const curves = page.waitForResponse(
      (r) => r.url().includes(`/timeseries?range=${range}&metric=players`) && r.ok(),
    )
    await page.goto(`/?range=${range}`)
    const summary = (await (await answers).json()) as Summary
    const series = (await (await curves).json()) as Timeseries
    expect(summary.samples).toBeGreaterThan(0)
    await expect(card(page, 'Average').locator('.number')).toHaveText(text('count', summary.players.avg))
    await expect(card(page, 'Peak').locator('.number')).toHaveText(text('count', summary.players.peak))
    if (summary.players.peak_at) {
      await expect(card(page, 'Peak')).toContainText(formatMoment(Date.parse(summary.players.peak_at), place))
    }
    await expect(card(page, 'Server FPS')).toContainText(text('fps', summary.fps.p05))
    await expect(card(page, 'Frame time p95')).toContainText(text('ms', summary.frame_ms.avg))
    await expect(card(page, 'Restarts').locator('.number')).toHaveText(text('count', summary.restarts))

    const chart = page.getByRole('slider', { name: 'Players,' })
    await chart.focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')
    const players = series.series.find((s) => s.metric === 'players')?.values[1] ?? null
    const when = formatMoment(series.timestamps[1] ?? 0, place)
    const spoken = players === null ? `${when}: no data` : `${when}: Players ${text('count', players)}`
    // A restart of the demo may stand there, too.
    await expect.poll(async () => (await chart.getAttribute('aria-valuetext'))?.split('. ')[0]).toBe(spoken)
  })
}

test('live totals come through the shared worker, one stream for two tabs', async ({ page, context }) => {
  test.setTimeout(180_000) // beside the demo's history being filled on a busy machine
  await page.goto('/')
  const freshness = page.locator('[data-test=freshness]')
  await expect(freshness).toContainText('Live, updated', { timeout: 60_000 })
  const first = await freshness.textContent()
  await expect(freshness).not.toHaveText(first ?? '', { timeout: 30_000 })
  const second = await context.newPage()
  await second.bringToFront()
  await second.goto('/')
  await expect(second.locator('[data-test=freshness]')).toContainText('Live, updated', { timeout: 60_000 })
  // Streams of pages that other tests closed end when the server next writes to them.
  const listeners = async () =>
    /^corrosion_live_listeners (\d+)$/m.exec(await (await page.request.get('/metrics')).text())?.[1]
  await expect.poll(listeners, { timeout: 60_000 }).toBe('1')
})

test('switching the range asks anew and redraws', async ({ page }) => {
  await page.goto('/')
  await expectCharts(page)
  const week = page.waitForResponse((r) => r.url().includes('/timeseries?range=7d') && r.ok())
  await page.getByRole('radio', { name: 'Last 7 days' }).click()
  expect(((await (await week).json()) as Timeseries).timestamps.length).toBeGreaterThan(100)
  await expect(page).toHaveURL(/range=7d/)
  await expectCharts(page)
})
