import type { Page } from '@playwright/test'
import { accounts, answerAccounts, licenses, type Accounts } from './account'
import { mockAPI, now, problem } from './mock'
import { card, expect, expectAccessible, screenshot, test } from './page'

const storage = (page: Page) =>
  page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))

async function open(page: Page, server: Accounts, path = '/sign-in'): Promise<string[]> {
  await page.clock.install({ time: now })
  const asked = await mockAPI(page, answerAccounts(server))
  await page.goto(path)
  return asked
}

async function signIn(page: Page, password = 'correct horse'): Promise<void> {
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill(password)
  await page.keyboard.press('Enter')
}

test('signing in by keyboard leads to where one wanted to go, and leaves no token behind', async ({
  page,
}) => {
  const server = accounts()
  const asked = await open(page, server, '/account')
  await expect(page).toHaveURL(/\/sign-in\?next=\/account$/)
  await expectAccessible(page)
  await screenshot(page, 'sign-in')
  await signIn(page)
  await expect(page.getByRole('heading', { name: 'Your account' })).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'account')
  expect(await storage(page)).not.toContain('secret')
  expect(asked.join(' ')).not.toContain('secret')
  await page.getByRole('link', { name: 'Overview', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'Rusty Europe' })).toBeVisible()
  await expect.poll(() => asked.some((path) => path.startsWith('/api/analytics/summary'))).toBe(true)
})

test('a wrong password says so; the second factor is asked for when it is needed', async ({ page }) => {
  const server = { ...accounts(), code: '123456' }
  await open(page, server)
  await signIn(page, 'wrong')
  await expect(page.getByRole('alert')).toContainText('The email or the password is wrong')
  await expectAccessible(page)
  await signIn(page)
  await expect(page.getByLabel('Code')).toBeFocused()
  await screenshot(page, 'sign-in-code')
  await page.keyboard.type('123456')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Rusty Europe' })).toBeVisible()
})

test('a one-time password allows nothing but to change it', async ({ page }) => {
  await open(page, accounts({ must_change_password: true }))
  await signIn(page)
  await expect(page.getByRole('heading', { name: 'Choose a password of your own' })).toBeVisible()
  await page.getByLabel('One-time password').fill('correct horse')
  await page.getByLabel('New password').fill('short')
  await expect(page.getByText('This is shorter than 8 characters.')).toBeVisible()
  await page.getByLabel('New password').fill('a longer secret')
  await page.getByLabel('The same again').fill('a longer secret')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Change it' }).click()
  await expect(page.getByRole('heading', { name: 'Rusty Europe' })).toBeVisible()
})

test('the license can be switched', async ({ page }) => {
  const server = accounts()
  await open(page, server)
  await signIn(page)
  await page.getByRole('button', { name: 'Rusty Europe' }).click()
  await page.getByRole('menuitemradio', { name: 'Rusty America' }).press('Enter')
  await expect(page.getByRole('heading', { name: 'Rusty America' })).toBeVisible()
  expect(server.tokens.license_id).toBe(licenses.us)
  await expect(page.getByText('Now showing Rusty America', { exact: true })).toBeVisible()
  await expectAccessible(page)
})

test('a session that ends is said over the page, and signing in goes on', async ({ page }) => {
  const server = accounts()
  let refused = false
  await page.clock.install({ time: now })
  const account = answerAccounts(server)
  await mockAPI(page, (path, query, route) => {
    if (path.startsWith('/api/analytics/') && refused)
      return problem(route, 401, 'expired', {}, 'token-expired').then(() => true)
    return account(path, query, route)
  })
  await page.goto('/sign-in')
  await signIn(page)
  await expect(card(page, 'Players now')).toContainText('1,834')
  refused = true
  server.alive = false
  await page.clock.runFor(11_000)
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' })
  await expect(dialog).toBeVisible()
  await page.clock.runFor(1_000)
  await expectAccessible(page)
  await screenshot(page, 'expired')
  await page.keyboard.press('Escape')
  await expect(dialog).toBeVisible()
  refused = false
  await dialog.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
  await expect(dialog).toHaveCount(0)
  await page.clock.runFor(3_000)
  await expect(card(page, 'Players now')).toContainText('1,834')
})

test('a reload comes back by the cookie; signing out forgets it', async ({ page }) => {
  const server = accounts()
  await open(page, server)
  await signIn(page)
  await expect(page.getByRole('heading', { name: 'Rusty Europe' })).toBeVisible()
  await page.reload()
  await page.clock.runFor(500)
  await expect(page.getByRole('heading', { name: 'Rusty Europe' })).toBeVisible()
  expect(server.refreshes).toBe(1)
  await page.getByRole('button', { name: 'Rusty Europe' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(page).toHaveURL(/sign-in/)
  expect(await storage(page)).not.toContain('yes')
})

test('a forgotten password: the link, and the page that it leads to', async ({ page }) => {
  await open(page, accounts())
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await expect(page.getByRole('button', { name: 'Send the link' })).toBeVisible()
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByRole('button', { name: 'Send the link' }).click()
  await expect(page.getByText('a link to set a new password is on its way')).toBeVisible()
  await expectAccessible(page)
  await page.goto('/reset-password#token=hush')
  await expect(page).toHaveURL(/\/reset-password$/)
  await page.getByLabel('New password').fill('a longer secret')
  await page.getByLabel('The same again').fill('a longer secret')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
})

test('the navigation opens over the page on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await open(page, accounts(), '/')
  await page.getByRole('button', { name: 'Menu' }).click()
  await expect(page.getByRole('dialog', { name: 'Menu' })).toBeVisible()
  await expectAccessible(page)
  await screenshot(page, 'menu-phone')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Menu' })).toBeFocused()
})
