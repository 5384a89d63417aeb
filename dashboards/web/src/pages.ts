/**
 * The table of pages: a row here is a route, loaded when it is opened, and, with `nav`, a place in the navigation
 * for those who may open it.
 */
import type { RouteRecordRaw } from 'vue-router'
import type { Access } from './session/access'
import type { IconName } from './ui/icons'

export const navGroups = ['Network', 'Manage', 'Platform'] as const
export type NavGroup = (typeof navGroups)[number]

export interface Page {
  path: string
  name: string
  title: string
  access: Access
  /** Without it the page has no place in the navigation. */
  nav?: { group: NavGroup; label: string; icon: IconName }
  /** A page without navigation around it. */
  bare?: boolean
  component: NonNullable<RouteRecordRaw['component']>
}

export const pages: Page[] = [
  {
    path: '/',
    name: 'overview',
    title: 'Network overview',
    access: 'reader',
    nav: { group: 'Network', label: 'Overview', icon: 'overview' },
    component: () => import('./views/Overview.vue'),
  },
  {
    path: '/servers',
    name: 'servers',
    title: 'Servers',
    access: 'reader',
    nav: { group: 'Network', label: 'Servers', icon: 'servers' },
    component: () => import('./views/Servers.vue'),
  },
  {
    path: '/servers/:id',
    name: 'server',
    title: 'Server',
    access: 'reader',
    component: () => import('./views/Server.vue'),
  },
  {
    path: '/explore',
    name: 'explore',
    title: 'Explore',
    access: 'reader',
    nav: { group: 'Network', label: 'Explore', icon: 'explore' },
    component: () => import('./views/Explore.vue'),
  },
  {
    path: '/export',
    name: 'export',
    title: 'Export',
    access: 'reader',
    nav: { group: 'Network', label: 'Export', icon: 'export' },
    component: () => import('./views/Export.vue'),
  },
  {
    path: '/modules',
    name: 'modules',
    title: 'Modules',
    access: 'viewer',
    nav: { group: 'Network', label: 'Modules', icon: 'modules' },
    component: () => import('./views/Modules.vue'),
  },
  {
    path: '/modules/installations/:id',
    name: 'installation',
    title: 'Installation',
    access: 'viewer',
    component: () => import('./views/Installation.vue'),
  },
  {
    path: '/modules/purchases/:id',
    name: 'purchase',
    title: 'Purchase',
    access: 'viewer',
    component: () => import('./views/Purchase.vue'),
  },
  {
    path: '/modules/:slug',
    name: 'module',
    title: 'Module',
    access: 'viewer',
    component: () => import('./views/Module.vue'),
  },
  {
    path: '/modules/:slug/rollouts/:id',
    name: 'rollout',
    title: 'Rollout',
    access: 'viewer',
    component: () => import('./views/Rollout.vue'),
  },
  {
    path: '/team',
    name: 'team',
    title: 'Team',
    // An account without a network makes its first one from here.
    access: 'person',
    nav: { group: 'Manage', label: 'Team', icon: 'team' },
    component: () => import('./views/Team.vue'),
  },
  {
    path: '/networks/new',
    name: 'new-network',
    title: 'A new network',
    access: 'person',
    component: () => import('./views/NewNetwork.vue'),
  },
  {
    // Not /api-keys: what begins with /api is the server's.
    path: '/keys',
    name: 'api-keys',
    title: 'API keys',
    access: 'admin',
    nav: { group: 'Manage', label: 'API keys', icon: 'key' },
    component: () => import('./views/ApiKeys.vue'),
  },
  {
    path: '/retention',
    name: 'retention',
    title: 'Retention',
    access: 'viewer',
    nav: { group: 'Manage', label: 'Retention', icon: 'clock' },
    component: () => import('./views/Retention.vue'),
  },
  {
    path: '/audit',
    name: 'audit',
    title: 'Audit',
    access: 'owner',
    nav: { group: 'Manage', label: 'Audit', icon: 'audit' },
    component: () => import('./views/Audit.vue'),
  },
  {
    path: '/sign-in',
    name: 'sign-in',
    title: 'Sign in',
    access: 'anybody',
    bare: true,
    component: () => import('./views/SignIn.vue'),
  },
  {
    path: '/sign-up',
    name: 'sign-up',
    title: 'Make an account',
    access: 'anybody',
    bare: true,
    component: () => import('./views/SignUp.vue'),
  },
  {
    path: '/invitation',
    name: 'invitation',
    title: 'An invitation',
    access: 'anybody',
    bare: true,
    component: () => import('./views/AcceptInvitation.vue'),
  },
  {
    path: '/forgot-password',
    name: 'forgot-password',
    title: 'Forgotten password',
    access: 'anybody',
    bare: true,
    component: () => import('./views/ForgotPassword.vue'),
  },
  {
    path: '/reset-password',
    name: 'reset-password',
    title: 'A new password',
    access: 'anybody',
    bare: true,
    component: () => import('./views/ResetPassword.vue'),
  },
  {
    path: '/confirm-email',
    name: 'confirm-email',
    title: 'Confirm your email',
    access: 'anybody',
    bare: true,
    component: () => import('./views/ConfirmEmail.vue'),
  },
  {
    path: '/change-password',
    name: 'change-password',
    title: 'Change the password',
    // A one-time password allows nothing else: the page itself looks after who comes.
    access: 'anybody',
    bare: true,
    component: () => import('./views/ChangePassword.vue'),
  },
  {
    path: '/ingest',
    name: 'ingest',
    title: 'Ingest health',
    access: 'person',
    nav: { group: 'Manage', label: 'Ingest health', icon: 'health' },
    component: () => import('./views/Ingest.vue'),
  },
  {
    path: '/admin/:section?/:id?',
    name: 'admin',
    title: 'Administration',
    access: 'platform',
    nav: { group: 'Platform', label: 'Administration', icon: 'shield' },
    component: () => import('./views/Admin.vue'),
  },
  {
    path: '/account',
    name: 'account',
    title: 'Your account',
    access: 'person',
    component: () => import('./views/Account.vue'),
  },
  {
    path: '/early-access',
    name: 'early-access',
    title: 'Early access',
    access: 'anybody',
    bare: true,
    component: () => import('./views/EarlyAccess.vue'),
  },
  {
    path: '/early-access/confirm',
    name: 'early-access-confirm',
    title: 'Confirm',
    access: 'anybody',
    bare: true,
    component: () => import('./views/EarlyAccessConfirm.vue'),
  },
]
