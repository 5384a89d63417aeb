import type { SessionState } from '@/session/session'

/** The demo network's license, as the contract names it. */
export const demoLicense = '00000000-0000-4000-8000-00000000d340'

/** The license whose figures are shown; of a pasted token it is read from its claims, which only the server can verify. */
export function licenseOf(state: SessionState): string {
  switch (state.kind) {
    case 'account':
      return state.tokens.license_id ?? ''
    case 'expired':
      return state.license
    case 'token':
      return claimOf(state.token)
    default:
      return demoLicense
  }
}

function claimOf(token: string): string {
  try {
    const body = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const { license_id } = JSON.parse(atob(body)) as { license_id?: unknown }
    return typeof license_id === 'string' ? license_id : ''
  } catch {
    return ''
  }
}
