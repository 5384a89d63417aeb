import type { Page } from '@playwright/test'
import { expect } from './page'

/** A running `corrosion serve --demo`; empty where there is none. */
export const url = process.env['CORROSION_E2E_URL'] ?? ''
export const place = { locale: 'en-GB', timeZone: 'Europe/Berlin' }
export const password = 'seven wide barrels'
export const address = (who: string) => `${who}-${Date.now()}-${Math.round(Math.random() * 1e6)}@example.org`

/** Signs up and makes a network, as everybody can where no mail is sent; gives the owner's email. */
export async function settle(page: Page, name: string): Promise<string> {
  const email = address('owner')
  await page.goto('/sign-in')
  await page.getByRole('link', { name: 'Make an account' }).click()
  await expect(page.getByRole('heading', { name: 'Make an account' })).toBeVisible()
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Name').fill('Ada')
  await page.getByLabel('New password').fill(password)
  await page.getByLabel('The same again').fill(password)
  await page.getByRole('button', { name: 'Make the account' }).click()
  await expect(page.getByText('You belong to no network yet')).toBeVisible()
  await page.getByRole('main').getByRole('link', { name: 'Make a network' }).click()
  await page.getByLabel('Name').fill(name)
  await page.keyboard.press('Enter')
  await expect(page.getByText(`${name} is made`)).toBeVisible()
  await page.getByRole('button', { name: 'open the network' }).click()
  await expect(page).toHaveURL(/\/$/)
  return email
}
