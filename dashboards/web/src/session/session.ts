import { ApiError } from '@/api/error'
import type { Tokens } from '@/api/types'

/** Who looks at the page. */
export type SessionState =
  /** A session may be there: it is being looked for. */
  | { kind: 'starting' }
  /** Nobody is signed in; the demo network is open to all. */
  | { kind: 'visitor' }
  /** An access token that somebody pasted; it lives in memory and is gone with the page. */
  | { kind: 'token'; token: string; id: number }
  /** A person with an account. */
  | { kind: 'account'; tokens: Tokens }
  /** The session has ended; what was on the screen stays until somebody signs in again. */
  | { kind: 'expired'; license: string }

/** The account routes of the API that a session needs. */
export interface AuthApi {
  login(input: SignInInput): Promise<Tokens>
  refresh(): Promise<Tokens>
  switchLicense(license: string): Promise<Tokens>
  logout(): Promise<void>
}

export interface SignInInput {
  email: string
  password: string
  /** Of the authenticator app, or a recovery code. */
  code?: string
}

/** What tabs of one browser tell each other; it never leaves their memory. */
export type TabMessage = { kind: 'tokens'; tokens: Tokens } | { kind: 'signed-out' } | { kind: 'ask' }

export interface Surroundings {
  auth: AuthApi
  /** Says something to the other tabs. */
  tell(message: TabMessage): void
  /** Runs work while no other tab runs it. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Whether this browser was signed in when a page was last open: without it nothing needs to be asked. */
  remembered(): boolean
  remember(signedIn: boolean): void
  changed(state: SessionState): void
  now(): number
  /** Calls back after ms; the returned function prevents it. */
  later(ms: number, work: () => void): () => void
}

/** A token is renewed this long before it runs out, ms. */
const renewAhead = 60_000
/** How long a new tab waits for another one's token, ms. */
const askLimit = 150
const retryAfterFailure = 15_000

/** Keeps a person signed in: the access token in memory, renewed by the cookie before it runs out, shared by all tabs. */
export class Session {
  state: SessionState = { kind: 'starting' }
  private renewing: Promise<string | null> | undefined
  private cancelTimer: () => void = () => undefined
  private answered: (() => void) | undefined
  private pasted = 0

  constructor(private readonly around: Surroundings) {}

  /** Looks for a session: of another tab, else by the cookie. */
  async start(): Promise<void> {
    if (!this.around.remembered()) return this.set({ kind: 'visitor' })
    await this.askTabs()
    if (this.state.kind !== 'starting') return
    try {
      await this.renew(null)
    } catch {
      // Without an answer nobody knows whether there is a session: the page goes on and asks again.
      this.set({ kind: 'visitor' })
      this.retry()
    }
  }

  /** The token for the next request; null for a visitor. */
  token(): string | null {
    if (this.state.kind === 'token') return this.state.token
    return this.state.kind === 'account' ? this.state.tokens.access_token : null
  }

  /** A token in place of one that is refused or about to run out; null when the session is over. */
  renew(refused: string | null): Promise<string | null> {
    if (this.state.kind === 'token') return Promise.resolve(null)
    const present = this.token()
    if (present !== refused) return Promise.resolve(present)
    this.renewing ??= this.around
      .alone(() => this.refresh(refused))
      .finally(() => (this.renewing = undefined))
    return this.renewing
  }

  async signIn(input: SignInInput): Promise<void> {
    this.adopt(await this.around.auth.login(input))
  }

  async switchLicense(license: string): Promise<void> {
    this.adopt(await this.around.auth.switchLicense(license))
  }

  /** Takes tokens that another account route gave, such as after a change of the password. */
  adopt(tokens: Tokens): void {
    this.take(tokens)
    this.around.tell({ kind: 'tokens', tokens })
  }

  /** Ends the session here and in all tabs, also when the server cannot be told. */
  async signOut(): Promise<void> {
    const account = this.state.kind === 'account'
    try {
      if (account) await this.around.auth.logout()
    } finally {
      this.leave({ kind: 'visitor' })
      this.around.tell({ kind: 'signed-out' })
    }
  }

  /** Reads the license of an access token. */
  useToken(token: string): void {
    this.cancelTimer()
    this.set({ kind: 'token', token: token.trim(), id: ++this.pasted })
  }

  /** Back to the demo network, from a token or from an ended session. */
  forget(): void {
    this.leave({ kind: 'visitor' })
  }

  /** What another tab said. */
  heard(message: TabMessage): void {
    if (message.kind === 'ask' && this.state.kind === 'account') {
      this.around.tell({ kind: 'tokens', tokens: this.state.tokens })
    }
    if (this.state.kind === 'token') return
    if (message.kind === 'signed-out') this.leave({ kind: 'visitor' })
    if (message.kind === 'tokens' && this.fresh(message.tokens)) this.take(message.tokens)
  }

  private async askTabs(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.answered = resolve
      this.around.later(askLimit, resolve)
      this.around.tell({ kind: 'ask' })
    })
    this.answered = undefined
  }

  private async refresh(refused: string | null): Promise<string | null> {
    // While this tab waited for its turn another one may have renewed for all.
    const present = this.token()
    if (present !== refused) return present
    try {
      this.adopt(await this.around.auth.refresh())
      return this.token()
    } catch (error) {
      if (!(error instanceof ApiError) || ![401, 403].includes(error.status)) throw error
      this.over()
      return null
    }
  }

  private over(): void {
    const { state } = this
    if (state.kind === 'account') this.leave({ kind: 'expired', license: state.tokens.license_id ?? '' })
    else this.leave({ kind: 'visitor' })
  }

  private take(tokens: Tokens): void {
    this.around.remember(true)
    this.cancelTimer()
    const wait = Math.max(1_000, Date.parse(tokens.expires_at) - this.around.now() - renewAhead)
    this.cancelTimer = this.around.later(wait, () => this.renewSoon())
    this.set({ kind: 'account', tokens })
    this.answered?.()
  }

  private renewSoon(): void {
    this.renew(this.token()).catch(() => this.retry())
  }

  private retry(): void {
    this.cancelTimer()
    this.cancelTimer = this.around.later(retryAfterFailure, () => this.renewSoon())
  }

  private fresh(tokens: Tokens): boolean {
    const known = this.state.kind === 'account' ? Date.parse(this.state.tokens.expires_at) : 0
    return Date.parse(tokens.expires_at) > Math.max(this.around.now(), known - 1)
  }

  private leave(next: SessionState): void {
    this.cancelTimer()
    this.around.remember(false)
    this.set(next)
  }

  private set(state: SessionState): void {
    this.state = state
    this.around.changed(state)
  }
}
