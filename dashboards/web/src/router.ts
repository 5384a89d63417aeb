import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import { pages, type Page } from './pages'
import { started, useSession } from './session'
import { admit } from './session/access'

declare module 'vue-router' {
  interface RouteMeta {
    page?: Page
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    ...pages.map((page) => ({ path: page.path, name: page.name, component: page.component, meta: { page } })),
    { path: '/:path(.*)*', name: 'missing', component: () => import('./views/Missing.vue') },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
})

/** Where somebody has to go before a page may be opened; true lets them in. What is forbidden the shell says in its place. */
async function enter(to: RouteLocationNormalized) {
  if (to.meta.page?.access === 'anybody') return true
  await started
  const verdict = admit(to.meta.page?.access ?? 'reader', useSession().state.value)
  if (verdict === 'sign-in') return { name: 'sign-in', query: { next: to.fullPath } }
  if (verdict === 'change-password') return { name: 'change-password', query: { next: to.fullPath } }
  return true
}

router.beforeEach(enter)

router.afterEach((to) => {
  const title = to.meta.page?.title
  document.title = title ? `${title} · Corrosion Stats` : 'Corrosion Stats'
})
