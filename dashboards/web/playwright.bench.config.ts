import { defineConfig } from '@playwright/test'
import base from './playwright.config.ts'

/** Figures, not tests: one after the other, alone, against the built pages. `make bench-web` runs it. */
export default defineConfig(base, { testDir: 'bench', workers: 1, retries: 0, timeout: 240_000 })
