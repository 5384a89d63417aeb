import { accounts, answerAccounts, licenses } from './account'
import { mockAPI, now, problem } from './mock'
import { office, openOffice } from './office'
import { desktop, expect, expectAccessible, look, phone, test } from './page'

test('team: roles, names and invitations, and what an owner does with them', async ({ page }) => {
  const o = office()
  await openOffice(page, o, '/team')
  const members = page.getByRole('region', { name: 'Members 3' })
  await expect(members.getByRole('listitem')).toHaveText([
    /Ada\s*owner\s*you/,
    /Grace\s*admin/,
    /Edsger\s*viewer/,
  ])
  await expect(page.getByRole('region', { name: 'Invitations that wait 1' })).toContainText(
    'the link is good for 5 d more',
  )
  await look(page, 'team', 'light', desktop)
  await look(page, 'team', 'dark', phone)
  await page.setViewportSize(desktop)

  // The only owner stays what they are; nobody removes themselves here.
  await expect(members.getByRole('button', { name: 'Change role of Ada' })).toHaveCount(0)
  await expect(page.getByRole('button', { name: 'Leave' })).toBeDisabled()
  await members.getByRole('button', { name: 'Change role of Grace' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'What Grace may do' })
  await expect(dialog.getByRole('button', { name: 'Change the role' })).toBeDisabled()
  await dialog.getByLabel('Role').selectOption('viewer')
  await expect(dialog).toContainText('API keys that they made')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Change the role' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(members.getByRole('listitem').nth(1)).toContainText('viewer')
  expect(o.sent.at(-1)).toMatchObject({ body: { role: 'viewer' }, match: '"m2"' })
  await expect(members.getByRole('button', { name: 'Change role of Grace' })).toBeFocused()

  await members.getByRole('button', { name: 'Remove Edsger' }).click()
  await look(page, 'team-remove', 'dark', desktop)
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await expect(page.getByText('2 API keys of theirs have ended too.', { exact: true })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Members 2' })).toBeVisible()
})

test('team: inviting shows the link once where no mail is sent; an invitation can be taken back', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const o = office()
  await openOffice(page, o, '/team')
  await page.getByRole('button', { name: 'Invite somebody' }).click()
  const dialog = page.getByRole('dialog', { name: 'Invite somebody' })
  await expect(dialog.getByLabel('Email')).toBeFocused()
  await page.keyboard.type('grace@example.org')
  await page.keyboard.press('Enter')
  await expect(dialog.getByRole('alert')).toContainText('is a member already')
  await dialog.getByLabel('Email').fill('alan@example.org')
  await dialog.getByLabel('Role').selectOption('admin')
  await look(page, 'team-invite', 'light', phone)
  await page.setViewportSize(desktop)
  await dialog.getByRole('button', { name: 'Invite', exact: true }).click()
  const once = page.getByRole('dialog', { name: 'Hand this link over' })
  await expect(once).toContainText('https://stats.example.org/invitation#token=hush')
  await once.getByRole('button', { name: 'Copy: Link of the invitation' }).click()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    'https://stats.example.org/invitation#token=hush',
  )
  await page.keyboard.press('Escape')
  await look(page, 'team-link', 'light', desktop)
  await once.getByRole('button', { name: 'I have kept it' }).click()
  await expect(page.getByText('hush')).toHaveCount(0)
  const waiting = page.getByRole('region', { name: 'Invitations that wait 2' })
  await waiting.getByRole('button', { name: 'Take back the invitation of barbara@example.org' }).click()
  await page.getByRole('button', { name: 'Take it back' }).click()
  await expect(page.getByRole('region', { name: 'Invitations that wait 1' })).toContainText(
    'alan@example.org',
  )
  o.mail = true
  await page.getByRole('button', { name: 'Invite somebody' }).click()
  await dialog.getByLabel('Email').fill('tony@example.org')
  await page.keyboard.press('Enter')
  await expect(page.getByText('The link is on its way by mail.', { exact: true })).toBeVisible()
})

test('team: another name, another owner, and leaving', async ({ page }) => {
  const o = office()
  await openOffice(page, o, '/team')
  await page.getByRole('button', { name: 'Rename' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('Rusty World')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Rusty World' })).toBeVisible()
  expect(o.sent.at(-1)).toMatchObject({ body: { name: 'Rusty World' }, match: '"l1.x"' })
  await page.getByRole('button', { name: 'Transfer ownership' }).click()
  const dialog = page.getByRole('dialog', { name: 'Transfer ownership' })
  await dialog.getByLabel('Your password').fill('wrong')
  await page.keyboard.press('Enter')
  await expect(dialog.getByRole('alert')).toContainText('The current password is wrong')
  await expectAccessible(page)
  await dialog.getByLabel('Your password').fill('correct horse')
  await dialog.getByRole('button', { name: 'Transfer' }).click()
  await expect(page.getByText('You are an admin of it now.', { exact: true })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Transfer ownership' })).toHaveCount(0)
  expect(o.account.refreshes).toBe(1)
  await page.getByRole('button', { name: 'Leave' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click()
  await expect(page.getByText('You have left Rusty World', { exact: true })).toBeVisible()
})

test('team: a viewer sees who is there and changes nothing', async ({ page }) => {
  const o = office({ account: accounts({ role: 'viewer' }) })
  o.members = o.members.map((m) => ({ ...m, you: m.name === 'Edsger', email: null, last_login_at: null }))
  await openOffice(page, o, '/team')
  await expect(page.getByRole('region', { name: 'Members 3' })).toContainText('Edsger')
  for (const name of ['Invite somebody', 'Rename', 'Transfer ownership'])
    await expect(page.getByRole('button', { name })).toHaveCount(0)
  await expect(page.getByRole('button', { name: /^(Remove|Change role)/ })).toHaveCount(0)
  await expect(page.getByRole('button', { name: 'Leave' })).toBeEnabled()
  await expectAccessible(page)
})

test('an account without a network makes its first one', async ({ page }) => {
  const o = office({ account: accounts({ license_id: null as never, role: null as never }) })
  await openOffice(page, o, '/team')
  await expect(page.getByText('You belong to no network yet')).toBeVisible()
  await look(page, 'team-none', 'light', phone)
  await page.getByRole('main').getByRole('link', { name: 'Make a network' }).click()
  await page.getByLabel('Name').fill('Rusty America')
  await page.keyboard.press('Enter')
  await expect(page.getByText('shown-once')).toBeVisible()
  await look(page, 'network-made', 'dark', desktop)
  await page.getByRole('button', { name: 'open the network' }).click()
  await expect(page).toHaveURL(/\/$/)
  expect(o.account.tokens.license_id).toBe(licenses.us)
})

test('signing up: with mail, without it, and where it is closed', async ({ page }) => {
  let way = 'mail'
  await page.clock.install({ time: now })
  await mockAPI(page, (path, _, route) => {
    if (path === '/api/auth/login')
      return problem(route, 401, 'No', {}, 'credentials-invalid').then(() => true)
    if (!path.endsWith('/register')) return null
    if (way === 'closed') return problem(route, 403, 'No', {}, 'registration-closed').then(() => true)
    return route.fulfill({ status: 202, json: { status: 'accepted', mail: way === 'mail' } }).then(() => true)
  })
  const fill = async () => {
    await page.getByLabel('Email').fill('ada@example.org')
    await page.getByLabel('New password').fill('a longer secret')
    await page.getByLabel('The same again').fill('a longer secret')
    await page.getByRole('button', { name: 'Make the account' }).click()
  }
  await page.goto('/sign-in')
  await page.getByRole('link', { name: 'Make an account' }).click()
  await look(page, 'sign-up', 'light', phone)
  await fill()
  await expect(page.getByRole('heading', { name: 'Look into your mailbox' })).toBeVisible()
  await expectAccessible(page)
  way = 'none'
  await page.goto('/sign-up')
  await fill()
  // The email had an account already: the page says no more than that, and the sign-in has the email.
  await expect(page.getByText('Sign in to go on', { exact: true })).toBeVisible()
  await expect(page.getByLabel('Email')).toHaveValue('ada@example.org')
  way = 'closed'
  await page.goto('/sign-up')
  await fill()
  await expect(page.getByRole('heading', { name: 'Accounts are not open' })).toBeVisible()
  await look(page, 'sign-up-closed', 'dark', desktop)
})

const invited = {
  email: 'alan@example.org',
  expires_at: '2026-11-30T18:00:00Z',
  invited_by: 'ada@example.org',
  license_name: 'Rusty Europe',
  role: 'admin',
}

test('an invitation makes an account, or says why it cannot', async ({ page }) => {
  let gone = false
  let sent: unknown
  await page.clock.install({ time: now })
  const server = accounts({ role: 'admin' })
  await mockAPI(page, (path, query, route) => {
    if (gone && path.includes('/invitations/'))
      return problem(route, 410, 'No', {}, 'link-invalid').then(() => true)
    if (path.endsWith('/invitations/look')) return invited
    if (path.endsWith('/auth/me')) return answerAccounts(server)(path, query, route)
    if (!path.endsWith('/invitations/accept')) return null
    const body = route.request().postDataJSON() as Record<string, string>
    if (body['password'] === 'wrong')
      return problem(route, 401, 'No', {}, 'credentials-invalid').then(() => true)
    if (!body['code']) return problem(route, 401, 'No', {}, 'totp-required').then(() => true)
    sent = body
    return server.tokens
  })
  await page.goto('/invitation#token=hush')
  await expect(page.getByRole('heading', { name: 'Join Rusty Europe' })).toBeVisible()
  await expect(page).toHaveURL(/\/invitation$/)
  await expect(page.getByText('Good until Mon 30 Nov, 19:00.')).toBeVisible()
  await look(page, 'invitation', 'light', phone)
  await page.getByLabel('Password').fill('wrong')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).toContainText('The password is wrong')
  await page.getByLabel('Password').fill('a longer secret')
  await page.keyboard.press('Enter')
  await page.getByLabel('Code').fill('123456')
  await look(page, 'invitation-code', 'dark', desktop)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/$/)
  await expect(page.getByText('Welcome to Rusty Europe', { exact: true })).toBeVisible()
  expect(sent).toMatchObject({
    token: 'hush',
    password: 'a longer secret',
    code: '123456',
    delivery: 'cookie',
  })
  gone = true
  await page.goto('about:blank')
  await page.goto('/invitation#token=hush')
  await expect(page.getByRole('heading', { name: 'The link is not valid any more' })).toBeVisible()
  await expectAccessible(page)
  await page.goto('about:blank')
  await page.goto('/invitation')
  await expect(page.getByRole('heading', { name: 'This link is not complete' })).toBeVisible()
})

test('an invitation for another email says so to who is signed in, and the right one joins', async ({
  page,
}) => {
  const o = office()
  let email = 'alan@example.org'
  await openOffice(page, o, '/account', (path, _, route) => {
    if (path.endsWith('/invitations/look')) return { ...invited, email }
    if (path.endsWith('/invitations/accept')) {
      expect(route.request().headers()['authorization']).toBe(`Bearer ${o.account.tokens.access_token}`)
      return { ...o.account.tokens, license_id: licenses.us }
    }
    return null
  })
  await expect(page.getByRole('heading', { name: 'Your account' })).toBeVisible()
  await page.goto('/invitation#token=hush')
  await page.clock.runFor(500)
  await expect(page.getByRole('alert')).toContainText('You are signed in as ada@example.org')
  await expectAccessible(page)
  email = 'Ada@example.org'
  await page.goto('/account')
  await page.clock.runFor(500)
  await page.goto('/invitation#token=hush')
  await page.clock.runFor(500)
  await page.getByRole('button', { name: 'Join' }).click()
  await expect(page.getByText('Welcome to Rusty Europe', { exact: true })).toBeVisible()
})
