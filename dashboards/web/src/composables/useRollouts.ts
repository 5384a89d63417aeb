import { bodyOf } from '@/api/http'
import type { Rollout, RolloutInput } from '@/api/modules'
import type { RolloutVerb } from '@/lib/modules'
import { once } from '@/lib/once'
import { http, useSession } from '@/session'
import { usePolling } from './usePolling'
import { useTransitions } from './useTransitions'

/** The license's rollouts of a module, the newest first. */
export function useRollouts(slug: () => string) {
  const { subject } = useSession()
  return usePolling<Rollout[]>(() => ({
    key: slug(),
    subject: `${subject.value} ${slug()}`,
    load: async (signal) => {
      const params = { path: { slug: slug() } }
      const answer = http.GET('/api/modules/{slug}/rollouts', { params, signal })
      return (await bodyOf<{ rollouts: Rollout[] }>(answer)).rollouts
    },
  }))
}

/** One rollout with its servers, kept fresh. */
export function useRollout(slug: () => string, id: () => string) {
  const { subject } = useSession()
  const { state, retry } = usePolling<Rollout>(
    () => ({
      key: id(),
      subject: `${subject.value} ${id()}`,
      load: (signal) =>
        bodyOf<Rollout>(
          http.GET('/api/modules/{slug}/rollouts/{id}', {
            params: { path: { slug: slug(), id: id() } },
            signal,
          }),
        ),
    }),
    5_000,
  )
  // Of its servers' installations nothing is shown but their status.
  useTransitions((told) => {
    const server = state.data?.servers?.find((s) => s.server_id === told.server_id)
    return told.module === slug() && server !== undefined && server.status !== told.status
  }, retry)
  return { state, retry }
}

export const startRollout = (slug: string, body: RolloutInput): Promise<Rollout> =>
  bodyOf<Rollout>(
    http.POST('/api/modules/{slug}/rollouts', { params: { path: { slug }, header: once() }, body }),
  )

/** Asks something of a rollout. */
export function steerRollout(slug: string, id: string, verb: RolloutVerb): Promise<Rollout> {
  const params = { path: { slug, id }, header: once() }
  switch (verb) {
    case 'pause':
      return bodyOf<Rollout>(http.POST('/api/modules/{slug}/rollouts/{id}/pause', { params }))
    case 'resume':
      return bodyOf<Rollout>(http.POST('/api/modules/{slug}/rollouts/{id}/resume', { params }))
    case 'cancel':
      return bodyOf<Rollout>(http.POST('/api/modules/{slug}/rollouts/{id}/cancel', { params }))
    case 'rollback':
      return bodyOf<Rollout>(http.POST('/api/modules/{slug}/rollouts/{id}/rollback', { params }))
  }
}
