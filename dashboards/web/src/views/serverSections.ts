import { defineAsyncComponent, type Component } from 'vue'
import type { Access } from '@/session/access'

/** Sections of a server's page beside its figures, in the order of the page: each gets the server's id as `server-id`. */
export interface ServerSection {
  name: string
  /** Who sees it. */
  access: Access
  component: Component
}

export const serverSections: ServerSection[] = [
  {
    name: 'modules',
    access: 'viewer',
    component: defineAsyncComponent(() => import('@/components/modules/ServerModules.vue')),
  },
]
