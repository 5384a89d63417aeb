import { bodyOf } from '@/api/http'
import type { Tokens } from '@/api/types'
import { http, useSession } from '@/session'

/** Changes the password of who is signed in; all other sessions end. */
export function useChangePassword() {
  const { session } = useSession()
  return async (current_password: string, new_password: string): Promise<void> => {
    session.adopt(
      await bodyOf<Tokens>(http.POST('/api/auth/password', { body: { current_password, new_password } })),
    )
  }
}
