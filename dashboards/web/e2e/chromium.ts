import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A Chromium to drive and what it needs in its environment. */
export interface Browser {
  executablePath: string
  env: Record<string, string>
}

const installed = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const cache = fileURLToPath(new URL('../node_modules/.cache/chromium', import.meta.url))

/** For a closed network, and for root, under whom Chromium's own sandbox does not start. */
export const launchArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--font-render-hinting=none',
]

/** Finds Chromium: the one named by CHROMIUM_PATH, the system's, else the one in the npm package. */
export async function findChromium(): Promise<Browser> {
  const named = process.env['CHROMIUM_PATH']
  if (named && !existsSync(named)) throw new Error(`CHROMIUM_PATH names ${named}, which does not exist`)
  const path = named ?? installed.find((p) => existsSync(p))
  return path ? { executablePath: path, env: {} } : fromPackage()
}

async function fromPackage(): Promise<Browser> {
  if (!existsSync(cache)) await unpack()
  const executablePath = join(cache, 'chromium')
  return { executablePath, env: packageEnv(executablePath) }
}

// The package unpacks into the temporary folder: give it one of our own, and put the result in place in one
// step, so that an interrupted or simultaneous start leaves no half of a browser behind.
async function unpack(): Promise<void> {
  mkdirSync(join(cache, '..'), { recursive: true })
  const scratch = mkdtempSync(`${cache}-`)
  const before = { TMPDIR: process.env['TMPDIR'], AWS_EXECUTION_ENV: process.env['AWS_EXECUTION_ENV'] }
  const libraries = process.env['LD_LIBRARY_PATH']
  try {
    process.env['TMPDIR'] = scratch
    // With this set the package also unpacks the shared libraries that a bare machine lacks.
    process.env['AWS_EXECUTION_ENV'] = 'AWS_Lambda_nodejs22.x'
    const { default: chromium } = await import('@sparticuz/chromium')
    await chromium.executablePath()
  } finally {
    restore({ ...before, LD_LIBRARY_PATH: libraries })
  }
  putInPlace(scratch)
}

function restore(values: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name)
    else process.env[name] = value
  }
}

function putInPlace(scratch: string): void {
  try {
    renameSync(scratch, cache)
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true })
    if (!existsSync(cache)) throw error
  }
}

// The package's own libraries only where the system lacks some: they would come before the system's.
function packageEnv(executable: string): Record<string, string> {
  const env: Record<string, string> = {}
  if (missingLibraries(executable)) env['LD_LIBRARY_PATH'] = join(cache, 'al2023', 'lib')
  if (!existsSync('/etc/fonts/fonts.conf')) env['FONTCONFIG_PATH'] = join(cache, 'fonts')
  return env
}

function missingLibraries(executable: string): boolean {
  try {
    return execFileSync('ldd', [executable], { encoding: 'utf8' }).includes('not found')
  } catch {
    return false
  }
}
