/** A path of ours to go to after signing in; anything else leads to the overview. */
export function nextPath(query: Record<string, unknown>): string {
  const next = query['next']
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : '/'
}
