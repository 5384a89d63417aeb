/** The groups that the list is sorted into by the number of servers; the server decides. */
export const segments = [
  { id: '1', most: 1, name: 'Solo server' },
  { id: '2-5', most: 5, name: 'Small network' },
  { id: '6-25', most: 25, name: 'Growing network' },
  { id: '26-100', most: 100, name: 'Large network' },
  { id: '101+', most: Infinity, name: 'Hosting scale' },
] as const

/** The segment of a number of servers; null for what is none. */
export function segmentOf(servers: number) {
  if (!Number.isInteger(servers) || servers < 1 || servers > 1_000_000) return null
  return segments.find((s) => servers <= s.most) ?? null
}
