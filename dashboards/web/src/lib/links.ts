/** The address of a link where it is one of the web or of mail; null for every other scheme. */
export function safeHref(href: string): string | null {
  try {
    const url = new URL(href)
    return ['https:', 'http:', 'mailto:'].includes(url.protocol) ? url.href : null
  } catch {
    return null
  }
}
