import { bodyOf } from '@/api/http'
import type { CataloguePage, Module } from '@/api/modules'
import { inBand } from '@/lib/modules'
import { omitEmpty } from '@/lib/platform'
import { http, useSession } from '@/session'
import { useListing } from './useListing'
import { usePolling } from './usePolling'

const interval = 60_000

/** What the catalogue is asked for; what is empty chooses all. */
export interface CatalogueAsk {
  search: string
  category: string
  game: string
  sort: string
  owned: 'true' | 'false' | ''
  /** A band of prices, see lib/modules; the API knows none. */
  band: string
}

/** The catalogue, page by page. */
export function useCatalogue(ask: () => CatalogueAsk) {
  return useListing<Module>(
    () => JSON.stringify(ask()),
    async (cursor, signal) => {
      const { band, owned, ...words } = ask()
      // Prices are looked through here: few pages hold nearly all there is.
      const limit = band ? '200' : '24'
      const query = { limit, ...omitEmpty(words), ...(owned ? { owned } : {}), ...(cursor ? { cursor } : {}) }
      const page = await bodyOf<CataloguePage>(
        http.GET('/api/modules', { params: { query }, signal }),
        (body) => Array.isArray(body.modules),
      )
      return { items: page.modules.filter((m) => inBand(m, band)), next: page.next }
    },
  )
}

/** One module with its versions. */
export function useModule(slug: () => string) {
  const { subject } = useSession()
  return usePolling<Module>(
    () => ({
      key: slug(),
      subject: `${subject.value} ${slug()}`,
      load: (signal) =>
        bodyOf<Module>(http.GET('/api/modules/{slug}', { params: { path: { slug: slug() } }, signal })),
    }),
    interval,
  )
}
