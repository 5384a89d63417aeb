import type { Page } from '@playwright/test'
import { mockAPI, now, problem, summary, timeseries } from './mock'
import { card, chartTitles, expect, expectAccessible, expectCharts, inked, screenshot, test } from './page'

const sizes = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
  wall: { width: 2560, height: 1440 },
}
const hour = 3_600_000

async function still(page: Page): Promise<void> {
  await page.clock.setFixedTime(now)
}

for (const theme of ['light', 'dark'] as const) {
  for (const [size, viewport] of Object.entries(sizes)) {
    test(`the network on a ${size} in ${theme}`, async ({ page }) => {
      await still(page)
      await page.emulateMedia({ colorScheme: theme })
      await page.setViewportSize(viewport)
      await mockAPI(page)
      await page.goto('/')
      await expectCharts(page)
      await expectAccessible(page)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      expect(overflow).toBeLessThanOrEqual(0)
      await screenshot(page, `data-${size}-${theme}`)
    })
  }
}

test('cards show what the API says', async ({ page }) => {
  await still(page)
  await mockAPI(page)
  await page.goto('/')
  await expect(card(page, 'Players now')).toContainText('1,834')
  await expect(card(page, 'Players now')).toContainText('36.7\u00a0% of 5,000 slots used')
  await expect(card(page, 'Peak')).toContainText('Mon 23 Nov, 17:02')
  await expect(card(page, 'Servers online')).toContainText('482 of 50 silent')
  await expect(card(page, 'Server FPS')).toContainText('Slowest 5 % 33.1\u00a0fps')
  await expect(card(page, 'Memory a server')).toContainText('8.12\u00a0GiB')
  await expect(card(page, 'Restarts')).toContainText('7')
})

test('what was not measured is a dash, and its chart says so', async ({ page }) => {
  await still(page)
  await mockAPI(page, (path, query) => {
    const none = { avg: null, p95: null, p99: null, max: null }
    if (path.endsWith('/summary'))
      return summary(query, { frame_ms: none, entities: none, uptime_percent: null })
    if (!path.endsWith('/timeseries')) return null
    const answer = timeseries(query)
    for (const s of answer.series) if (s.metric === 'frame_ms') s.values = s.values.map(() => null)
    return answer
  })
  await page.goto('/')
  await expect(card(page, 'Frame time p95')).toContainText('–')
  await expect(card(page, 'Uptime')).toContainText('–')
  await expect(page.getByText('Not measured in this range')).toHaveCount(1)
})

test('gaps stay open', async ({ page }) => {
  await still(page)
  const hole = (t: number) => t > now - 9 * hour && t < now - 6 * hour
  await mockAPI(page, (path, query) =>
    path.endsWith('/timeseries') ? timeseries(query, (t) => !hole(t)) : null,
  )
  await page.goto('/')
  await expectCharts(page)
  const players = page.getByRole('slider', { name: 'Players,' })
  await expect(players).toHaveAttribute(
    'aria-valuetext',
    /36 of 289 intervals have no data|35 of 289 intervals have no data/,
  )
  const box = await players.boundingBox()
  if (!box) throw new Error('no chart')
  // The middle of the hole: 7.5 hours before the right end.
  const x = 56 + (box.width - 68) * (1 - 7.5 / 24)
  await players.hover({ position: { x, y: 60 } })
  await expect(players.getByText('No data')).toBeVisible()
  await screenshot(page, 'gaps')
})

test('the range is in the URL, and Back brings the one before', async ({ page }) => {
  await still(page)
  const asked = await mockAPI(page)
  await page.goto('/')
  await expectCharts(page)
  await page.getByRole('radio', { name: 'Last 7 days' }).click()
  await expect(page).toHaveURL(/\?range=7d$/)
  await expect(page.getByText('1-hour buckets')).toBeVisible()
  expect(asked).toContain('/api/public/demo/summary?range=7d')
  expect(asked).toContain('/api/public/demo/timeseries?range=7d&metric=frame_ms&agg=p95&step=1h')
  await page.goBack()
  await expect(page.getByText('5-minute buckets')).toBeVisible()
  await page.goto('/?range=30d')
  await expect(page.getByText('2-hour buckets')).toBeVisible()
  await expect(page.getByRole('radio', { name: 'Last 30 days' })).toBeChecked()
  await screenshot(page, 'data-30d')
})

test('one cross-hair runs over all charts', async ({ page }) => {
  await still(page)
  await mockAPI(page)
  // All of the page at once: the picture would else be taken after a scroll, which drops the cross-hair.
  await page.setViewportSize({ ...sizes.desktop, height: 1440 })
  await page.goto('/')
  await expectCharts(page)
  await page.getByRole('slider', { name: 'Server FPS,' }).hover({ position: { x: 200, y: 60 } })
  await expect(page.locator('.hair')).toHaveCount(chartTitles.length)
  await expect(page.locator('.tooltip')).toHaveCount(1)
  await expect(page.locator('.tooltip')).toContainText(/(Sun 22|Mon 23) Nov, \d\d:\d\d/)
  await expect(page.locator('.tooltip')).toContainText(/Average\d+\.\d\sfps/)
  await screenshot(page, 'crosshair')
})

test('dragging zooms, and the zoom can be undone', async ({ page }) => {
  await still(page)
  const asked = await mockAPI(page)
  await page.goto('/')
  await expectCharts(page)
  const box = await page.getByRole('slider', { name: 'Players,' }).boundingBox()
  if (!box) throw new Error('no chart')
  await page.mouse.move(box.x + 200, box.y + 80)
  await page.mouse.down()
  await page.mouse.move(box.x + 300, box.y + 80, { steps: 4 })
  await screenshot(page, 'selection')
  await page.mouse.up()
  await expect(page).toHaveURL(/from=\d{13}&to=\d{13}/)
  await expect(page.getByText('1-minute buckets')).toBeVisible()
  expect(asked.some((a) => /timeseries\?from=\d+&to=\d+&metric=players/.test(a))).toBe(true)
  await screenshot(page, 'zoomed')
  await page.getByRole('button', { name: 'Reset zoom' }).click()
  await expect(page.getByText('5-minute buckets')).toBeVisible()
})

test('the keyboard alone reads values and zooms', async ({ page }) => {
  await still(page)
  await mockAPI(page)
  await page.goto('/')
  await expectCharts(page)
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  const chart = page.getByRole('slider', { name: 'Frame time,' })
  await chart.focus()
  await page.keyboard.press('End')
  await expect(chart).toHaveAttribute('aria-valuetext', /Mon 23 Nov, 19:00: p95 .*ms, bucket not complete/)
  await page.keyboard.press('ArrowLeft')
  await expect(chart).toHaveAttribute('aria-valuetext', /Mon 23 Nov, 18:55: p95/)
  await page.keyboard.press('Enter')
  await page.keyboard.press('PageDown')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/from=\d{13}&to=\d{13}/)
})

test('the theme can be chosen and stays', async ({ page }) => {
  await still(page)
  await page.emulateMedia({ colorScheme: 'light' })
  await mockAPI(page)
  await page.goto('/')
  await page.getByRole('button', { name: /^Theme/ }).click()
  await page.getByRole('button', { name: /^Theme: light/ }).click()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
})

test('an unknown address leads back', async ({ page }) => {
  await page.goto('/nowhere')
  await expect(page.getByText('There is nothing at this address')).toBeVisible()
  await expectAccessible(page)
})

test('a chart is drawn anew without flicker when fresh data comes', async ({ page }) => {
  await page.clock.install({ time: now })
  let round = 0
  await mockAPI(page, (path, query) => {
    if (!path.endsWith('/summary')) return null
    if (query.get('range') !== '5m') round++
    return summary(query, { samples: 1, players: { ...summary(query).players, current: 1000 + round } })
  })
  await page.goto('/')
  await expect(card(page, 'Players now')).toContainText('1,001')
  await page.clock.runFor(1_000)
  await expectCharts(page)
  const before = await inked(page, 'Players')
  await page.clock.runFor(10_000)
  await expect(card(page, 'Players now')).toContainText('1,002')
  expect(await inked(page, 'Players')).toBeGreaterThan(before / 2)
})

test('a demo with no samples says what to do', async ({ page }) => {
  await still(page)
  await mockAPI(page, (path, query) =>
    path.endsWith('/summary') ? summary(query, { samples: 0 }) : timeseries(query, () => false),
  )
  await page.goto('/')
  await expect(page.getByText('No samples in this range')).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'empty')
})

test('a refusal is a problem in the words of the server', async ({ page }) => {
  await mockAPI(page, (_, __, route) =>
    problem(route, 429, 'Too many requests', { 'Retry-After': '30' }).then(() => true),
  )
  await page.goto('/')
  await expect(page.getByRole('alert')).toContainText('Too many requests')
})
