import { liveStream, mockAPI, now, problem } from './mock'
import { card, expect, expectAccessible, screenshot, test } from './page'

const totals = {
  at: new Date(now - 1000).toISOString(),
  servers: { total: 51, online: 50, silent: 1 },
  players: { current: 2001, capacity: 4002 },
  complete: true,
  stale_since: null,
}

test('live totals stand in the cards, and the page says when they stop', async ({ page }) => {
  // The clock runs on: on a busy machine further streams may have come by the time that one is looked for.
  await page.clock.install({ time: now })
  let streams = 0
  await mockAPI(page, (path, _, route) => {
    if (!path.endsWith('/live')) return null
    streams++
    // The first stream breaks off, the second does not come about, the third goes on.
    if (streams === 2) return problem(route, 503, 'Away').then(() => true)
    const current = streams === 1 ? 2001 : 2345
    return liveStream(route, { ...totals, players: { current, capacity: 4002 } }).then(() => true)
  })
  await page.goto('/')
  const stale = page.locator('[data-test=live-stale]')
  await expect(stale).toContainText(/live figures stale since 19:0\d:\d\d, reconnecting/)
  // What is read every ten seconds is better than totals that have stopped.
  await expect(card(page, 'Players now')).toContainText('1,834')
  await expectAccessible(page)
  await screenshot(page, 'live-stale')
  await page.clock.runFor(2_000)
  await expect.poll(() => streams).toBeGreaterThanOrEqual(2)
  await page.clock.runFor(4_000)
  await expect.poll(() => streams).toBeGreaterThanOrEqual(3)
})

test('live totals take the place of what is polled', async ({ page }) => {
  await page.clock.install({ time: now })
  // A stream that stays open: the answer never ends.
  await page.addInitScript(
    (body) => {
      const real = window.fetch
      window.fetch = (input, init) => {
        if (!String(input).endsWith('/live')) return real(input, init)
        const stream = new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode(body)) })
        return Promise.resolve(new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } }))
      }
    },
    `id: a-0-2\nevent: totals\ndata: ${JSON.stringify(totals)}\n\n`,
  )
  await mockAPI(page)
  await page.goto('/')
  await expect(card(page, 'Players now')).toContainText('2,001')
  await expect(card(page, 'Players now')).toContainText('50.0\u00a0% of 4,002 slots used')
  await expect(card(page, 'Servers online')).toContainText('501 of 51 silent')
  await expect(page.locator('[data-test=freshness]')).toContainText('Live, updated 19:02:29')
  await expect(page.locator('[data-test=live-stale]')).toHaveCount(0)
  await expectAccessible(page)
  await screenshot(page, 'live')
})
