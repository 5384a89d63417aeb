import { createRouter, createWebHistory } from 'vue-router'
import Overview from './views/Overview.vue'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'overview', component: Overview, meta: { title: 'Network overview' } },
    { path: '/:path(.*)*', name: 'missing', component: () => import('./views/Missing.vue') },
  ],
})

router.afterEach((to) => {
  const title = to.meta['title']
  document.title = typeof title === 'string' ? `${title} · Corrosion Stats` : 'Corrosion Stats'
})
