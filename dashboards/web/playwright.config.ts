import { defineConfig } from '@playwright/test'
import { findChromium, launchArgs } from './e2e/chromium.ts'

// Another port for runs side by side.
const port = Number(process.env['CORROSION_E2E_PORT'] ?? 4179)
const browser = await findChromium()

/** Pages against a mocked API are served by `vite preview` under the real Content-Security-Policy; build first. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/runs',
  fullyParallel: true,
  workers: 2,
  timeout: 120_000,
  // Room for a busy machine; a test that passes does not wait.
  expect: { timeout: 30_000 },
  forbidOnly: Boolean(process.env['CI']),
  retries: process.env['CI'] ? 2 : 0,
  reporter: 'list',
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    // Recording a trace takes a third more time; in CI a test that failed is recorded when it is tried again.
    trace: process.env['CI'] ? 'on-first-retry' : 'retain-on-failure',
    launchOptions: {
      executablePath: browser.executablePath,
      args: launchArgs,
      env: { ...(process.env as Record<string, string>), ...browser.env },
    },
  },
  webServer: {
    command: `npx vite preview --host 127.0.0.1 --port ${port} --strictPort`,
    url: `http://127.0.0.1:${port}`,
    reuseExistingServer: false,
  },
})
