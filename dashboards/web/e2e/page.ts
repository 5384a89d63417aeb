import { AxeBuilder } from '@axe-core/playwright'
import { expect, test as base, type Page } from '@playwright/test'

/** A test fails when the page logs an error: a broken script, or something that its policy refused. */
export const test = base.extend<{ quiet: { allow: RegExp[] } }>({
  quiet: [
    async ({ page }, use) => {
      const rules = { allow: [/Failed to load resource/] }
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(String(error)))
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text())
      })
      await use(rules)
      expect(errors.filter((e) => !rules.allow.some((r) => r.test(e)))).toEqual([])
    },
    { auto: true },
  ],
})

export { expect }

/** Fails on any violation that axe finds. */
export async function expectAccessible(page: Page): Promise<void> {
  // One run within the page: it has no frames, and sending the other kinds of results out of it takes longer than to find them.
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode()
    .options({ resultTypes: ['violations'] })
    .analyze()
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`)).toEqual([])
}

export const screenshot = (page: Page, name: string) =>
  page.screenshot({ path: `test-results/screens/${name}.png`, fullPage: true })

export const phone = { width: 390, height: 844 }
export const desktop = { width: 1440, height: 900 }

async function expectNoOverflow(page: Page): Promise<void> {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  expect(overflow).toBeLessThanOrEqual(0)
}

/** Looks at a page in one theme and size: no violations, nothing wider than the screen, a picture. */
export async function look(
  page: Page,
  name: string,
  theme: 'light' | 'dark',
  size: typeof phone,
): Promise<void> {
  await page.emulateMedia({ colorScheme: theme })
  await page.setViewportSize(size)
  await expectAccessible(page)
  await expectNoOverflow(page)
  await screenshot(page, `${name}-${size === phone ? 'phone' : 'desktop'}-${theme}`)
}

/** How many pixels of a chart's canvas are drawn on; 0 for an empty one. */
export function inked(page: Page, title: string): Promise<number> {
  return page.getByRole('slider', { name: `${title},` }).evaluate((frame) => {
    const canvas = frame.querySelector('canvas')
    const context = canvas?.getContext('2d')
    if (!canvas || !context) return 0
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
    let pixels = 0
    for (let alpha = 3; alpha < data.length; alpha += 4) if (data[alpha] !== 0) pixels++
    return pixels
  })
}

export const chartTitles = [
  'Players',
  'Server FPS',
  'Frame time',
  'Entities',
  'Memory',
  'CPU',
  'Network traffic',
]

/** Waits until every chart has drawn. */
export async function expectCharts(page: Page): Promise<void> {
  for (const title of chartTitles) await expect.poll(() => inked(page, title)).toBeGreaterThan(500)
}

/** The figure and the note of a card. */
export function card(page: Page, label: string) {
  return page.locator('.stat').filter({ has: page.getByText(label, { exact: true }) })
}
