/** The token behind the # of a link in a mail: browsers keep that part from servers and logs. */
export function fragmentToken(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? ''
}
