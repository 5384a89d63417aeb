import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { contentSecurityPolicy } from './csp.ts'

const server = process.env['CORROSION_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // `npm run dev` talks to a running `corrosion serve --demo`.
  server: { proxy: { '/api': server } },
  // The browser tests run under the policy that the binary sends.
  preview: { headers: { 'Content-Security-Policy': contentSecurityPolicy } },
  build: {
    target: 'es2022',
    // data: URIs would need a wider policy.
    assetsInlineLimit: 0,
    // The folder holds a committed .gitkeep, put back by public/.
    emptyOutDir: true,
    // ECharts is one chunk of its own, fetched after the first paint.
    chunkSizeWarningLimit: 700,
  },
  test: {
    environment: 'node',
    include: ['tests/**/*.test.ts'],
    env: { TZ: 'UTC' },
  },
})
