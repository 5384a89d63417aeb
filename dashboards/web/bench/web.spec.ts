import { mkdirSync } from 'node:fs'
import { test, type Page } from '@playwright/test'
import { mockAPI, now, servers } from '../e2e/mock'

/** The figures that docs/benchmarks.md holds of the pages. A running `corrosion serve --demo` is named by CORROSION_E2E_URL. */
const url = process.env['CORROSION_E2E_URL'] ?? ''
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const say = (what: string, figures: Record<string, number | string>) =>
  console.log(
    `bench-web ${what}: ${Object.entries(figures)
      .map(([k, v]) => `${k}=${v}`)
      .join(' ')}`,
  )

/** Notes when the first chart has ink, and every task over 50 ms. */
async function watch(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const seen = { chart: 0, tasks: [] as number[] }
    Object.assign(window, { seen })
    new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((e) => e.duration))).observe({
      type: 'longtask',
      buffered: true,
    })
    const look = () => {
      const canvas = document.querySelector<HTMLCanvasElement>('[role=slider] canvas')
      const pixels = canvas?.width
        ? canvas.getContext('2d')?.getImageData(0, 0, canvas.width, 80).data
        : undefined
      if (pixels?.some((v) => v !== 0)) seen.chart = performance.now()
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
}
interface Seen {
  chart: number
  tasks: number[]
}
const seenOf = (page: Page) => page.evaluate(() => (window as unknown as { seen: Seen }).seen)

/** How long the slowest answer of the API took that was there with the first chart, ms. */
const slowestAnswer = (page: Page) =>
  page.evaluate(() => {
    const { chart } = (window as unknown as { seen: { chart: number } }).seen
    const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const own = entries.filter((e) => e.name.includes('/api/') && e.responseEnd > 0 && e.responseEnd < chart)
    return Math.max(0, ...own.map((e) => e.duration))
  })

/** Whether the platform answers the page's heaviest question quickly; behind a fresh history it is busy comparing that with its rows. */
async function warm(page: Page): Promise<void> {
  const begun = Date.now()
  for (;;) {
    const asked = Date.now()
    await page.request.get('/api/public/demo/summary?range=24h')
    const took = Date.now() - asked
    const waited = Date.now() - begun
    if (took < 400 || waited > 150_000)
      return say('warm server', { waited_s: Math.round(waited / 1000), summary_ms: took })
    await page.waitForTimeout(5_000)
  }
}

test('time to first chart', async ({ browser }) => {
  test.skip(url === '', 'CORROSION_E2E_URL is not set')
  const first = await browser.newPage({ baseURL: url })
  await warm(first)
  await first.close()
  for (const cache of ['cold', 'warm']) {
    const times: number[] = []
    const answers: number[] = []
    const context = await browser.newContext({ baseURL: url })
    for (let i = 0; i < rounds + 1; i++) {
      const own = cache === 'cold' ? await browser.newContext({ baseURL: url }) : context
      const page = await own.newPage()
      await watch(page)
      await page.goto('/')
      await page.waitForFunction(() => (window as unknown as { seen: Seen }).seen.chart > 0)
      // The first round warms the server.
      if (i > 0) {
        times.push((await seenOf(page)).chart)
        answers.push(await slowestAnswer(page))
      }
      await page.close()
      if (own !== context) await own.close()
    }
    await context.close()
    say(`first chart, ${cache} cache`, {
      median_ms: Math.round(median(times)),
      worst_ms: Math.round(Math.max(...times)),
      slowest_answer_ms: Math.round(median(answers)),
    })
  }
})

/** A live feed of many servers in place of the network's: each says something every ten seconds, four frames a second. */
async function feed(page: Page, ids: string[]): Promise<void> {
  await page.addInitScript((names) => {
    const real = window.fetch
    window.fetch = (input, init) => {
      if (!String(input instanceof Request ? input.url : input).endsWith('/live')) return real(input, init)
      let id = 0
      const encoder = new TextEncoder()
      const server = (name: string) => ({
        server_id: name,
        state: 'online',
        last_seen: new Date().toISOString(),
        sample: {
          players: id % 200,
          max_players: 200,
          fps: 50 + (id % 10),
          frame_ms: 17,
          cpu_percent: 50,
          memory_mb: 8000,
          entities: 1e5 + id,
        },
      })
      const totals = () => ({
        at: new Date().toISOString(),
        servers: { total: names.length, online: names.length, silent: 0 },
        players: { current: 100_000 + id, capacity: 1_000_000 },
        complete: true,
        stale_since: null,
      })
      const stream = new ReadableStream({
        start(c) {
          const say = (event: string, data: unknown) =>
            c.enqueue(encoder.encode(`id: a-${++id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
          say('snapshot', { totals: totals(), servers: names.map(server) })
          const each = Math.ceil(names.length / 40)
          let at = 0
          setInterval(() => {
            say('servers', { servers: names.slice(at, at + each).map(server), gone: [] })
            say('totals', totals())
            at = (at + each) % names.length
          }, 250)
        },
      })
      return Promise.resolve(new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } }))
    }
  }, ids)
}

for (const path of ['/', '/servers']) {
  test(`long tasks while 5,000 servers update live on ${path}`, async ({ page }) => {
    const all = servers(5_000)
    await watch(page)
    await feed(
      page,
      all.map((s) => s.server_id),
    )
    await mockAPI(page, (asked, query) => {
      if (!asked.endsWith('/servers')) return null
      const from = Number(query.get('cursor') ?? 0)
      return {
        servers: all.slice(from, from + 500),
        total: all.length,
        next: from + 500 < all.length ? String(from + 500) : null,
      }
    })
    await page.clock.setSystemTime(now)
    await page.goto(path)
    await page.getByRole('heading', { name: 'Servers 5000' }).waitFor()
    await page.waitForTimeout(3_000)
    const before = (await seenOf(page)).tasks.length
    const length = 10_000
    await page.waitForTimeout(length)
    const tasks = (await seenOf(page)).tasks.slice(before)
    say(`5,000 live servers on ${path}`, {
      seconds: length / 1000,
      tasks_over_50ms: tasks.length,
      tasks_over_100ms: tasks.filter((t) => t > 100).length,
      longest_ms: Math.round(Math.max(0, ...tasks)),
    })
  })
}

test('panning 30 days of ten series', async ({ page, browser }) => {
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.clock.setSystemTime(now)
  await mockAPI(page)
  const query = ['avg', 'min', 'max', 'sum', 'last', 'p05', 'p50', 'p95', 'p99'].map(
    (agg) => `q=players~${agg}`,
  )
  await page.goto(`/explore?range=30d&step=1h&${[...query, 'q=queued~avg'].join('&')}`)
  const chart = page.getByRole('slider', { name: 'players, queued,' })
  await chart.locator('canvas').waitFor()
  await page.waitForTimeout(1_000)
  const box = await chart.boundingBox()
  if (!box) throw new Error('no chart')
  mkdirSync('test-results/bench', { recursive: true })
  await browser.startTracing(page, { path: 'test-results/bench/pan.json' })
  await page.evaluate(() => {
    const frames: number[] = []
    Object.assign(window, { frames })
    let last = performance.now()
    const tick = (t: number) => {
      frames.push(t - last)
      last = t
      requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  })
  await page.keyboard.down('Shift')
  await page.mouse.move(box.x + 700, box.y + 100)
  await page.mouse.down()
  await page.evaluate(() => ((window as unknown as { frames: number[] }).frames.length = 0))
  for (let i = 0; i < 240; i++) await page.mouse.move(box.x + 700 - 2 * (i < 120 ? i : 240 - i), box.y + 100)
  const frames = await page.evaluate(() => [...(window as unknown as { frames: number[] }).frames])
  await page.mouse.up()
  await page.keyboard.up('Shift')
  await browser.stopTracing()
  const mean = frames.reduce((a, b) => a + b, 0) / frames.length
  say('pan of 30 days, 10 series', {
    frames: frames.length,
    fps: (1000 / mean).toFixed(1),
    median_ms: median(frames).toFixed(1),
    p95_ms: ([...frames].sort((a, b) => a - b)[Math.floor(frames.length * 0.95)] ?? NaN).toFixed(1),
  })
})
