import type { GameServer, ServerList, Summary, Timeseries } from '../src/api/types'
import { formatMoment, formatValue, type Kind } from '../src/lib/format'
import { card, expect, expectAccessible, inked, screenshot, test } from './page'

/** Against a running `corrosion serve --demo`, named by CORROSION_E2E_URL: what is on the screen is what the API says. */
const url = process.env['CORROSION_E2E_URL'] ?? ''
test.skip(url === '', 'CORROSION_E2E_URL is not set')
test.use({ baseURL: url })

const place = { locale: 'en-GB', timeZone: 'Europe/Berlin' }
const text = (kind: Kind, v: number | null) => formatValue(kind, v, place)

test('the table of servers has the API\u2019s figures', async ({ page }) => {
  // Without the live stream, whose figures are newer than the list's.
  await page.route('**/live*', (route) => route.abort())
  await page.addInitScript(() => Reflect.deleteProperty(window, 'SharedWorker'))
  const answer = page.waitForResponse((r) => r.url().includes('/demo/servers?') && r.ok())
  await page.goto('/servers?sort=name')
  const { servers } = (await (await answer).json()) as ServerList
  await expect(page.getByRole('heading', { name: `Servers ${servers.length}` })).toBeVisible()
  const first = [...servers].sort((a, b) => a.server_id.localeCompare(b.server_id))[0] as GameServer
  const row = page
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name: first.name || first.server_id, exact: true }) })
  await expect(row).toContainText(`${first.latest['players']} / ${first.latest['max_players']}`)
  await expect(row).toContainText(text('fps', first.latest['fps'] ?? null))
  await expect(row).toContainText(text('mib', first.latest['memory_mb'] ?? null))
  await expectAccessible(page)
  await screenshot(page, 'real-servers')
})

test('a server\u2019s page has the API\u2019s figures, its custom metrics included', async ({ page }) => {
  const list = (await (
    await page.request.get('/api/public/demo/servers?sort=-players&limit=1')
  ).json()) as ServerList
  const id = list.servers[0]?.server_id ?? ''
  const answer = page.waitForResponse((r) => r.url().includes(`/summary?range=24h&server_id=${id}`) && r.ok())
  const curves = page.waitForResponse((r) => r.url().includes('agg=p95') && r.ok())
  await page.goto(`/servers/${id}`)
  const summary = (await (await answer).json()) as Summary
  await expect(card(page, 'Server FPS').locator('.number')).toHaveText(
    text('fps', summary.fps.avg).split('\u00a0')[0] ?? '',
  )
  await expect(card(page, 'Frame time p95')).toContainText(text('ms', summary.frame_ms.p99))
  await expect(card(page, 'Restarts').locator('.number')).toHaveText(text('count', summary.restarts))
  const series = (await (await curves).json()) as Timeseries
  const chart = page.getByRole('slider', { name: 'Frame time,' })
  await expect.poll(() => inked(page, 'Frame time')).toBeGreaterThan(500)
  await chart.focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowRight')
  const v = series.series.find((s) => s.metric === 'frame_ms')?.values[1] ?? null
  await expect(chart).toHaveAttribute('aria-valuetext', new RegExp(`p95 ${text('ms', v)}`))
  await expectAccessible(page)
  await screenshot(page, 'real-server')
})

test('explore shows the API\u2019s values', async ({ page }) => {
  const answer = page.waitForResponse(
    (r) => r.url().includes('/timeseries?') && r.url().includes('metric=entities') && r.ok(),
  )
  await page.goto('/explore?q=entities~max&q=fps~p05~server&step=1h')
  const series = (await (await answer).json()) as Timeseries
  const chart = page.getByRole('slider', { name: 'entities,' })
  await expect.poll(() => inked(page, 'entities')).toBeGreaterThan(500)
  await chart.focus()
  await page.keyboard.press('End')
  await page.keyboard.press('ArrowLeft')
  const i = series.timestamps.length - 2
  const when = formatMoment(series.timestamps[i] ?? 0, place)
  const value = text('count', series.series[0]?.values[i] ?? null)
  await expect(chart).toHaveAttribute('aria-valuetext', `${when}: entities max ${value}`)
  await expectAccessible(page)
  await screenshot(page, 'real-explore')
})

test('the demo\u2019s viewer exports a file whose checksum is right, and a reload stays signed in', async ({
  page,
}) => {
  const from = Date.now() - 20 * 60_000
  await page.goto(`/export?from=${from}&to=${from + 600_000}`)
  await page.getByRole('button', { name: 'Go on as the demo' }).click()
  await page.getByRole('button', { name: 'Start the export' }).click()
  const job = page.locator('.job').first()
  await expect(job).toHaveAttribute('data-status', 'done', { timeout: 60_000 })
  const download = page.waitForEvent('download')
  await job.getByRole('button', { name: /\.csv/ }).first().click()
  expect((await download).suggestedFilename()).toMatch(/\.csv$/)
  await expect(job).toContainText('saved, checksum right')
  await expectAccessible(page)
  await screenshot(page, 'real-export')
  await page.reload()
  await expect(page.getByRole('button', { name: /Demo network/ })).toBeVisible()
  expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).not.toMatch(
    /eyJ/,
  )
  await page.getByRole('button', { name: /Demo network/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(page).toHaveURL(/sign-in/)
})
