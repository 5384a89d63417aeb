/** Gives the reader of the page a file that was made in it. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has taken the file once the click is over; the memory is held until then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** A name for a file of what is shown: words, then when it begins. */
export function fileName(title: string, from: number, ending: string): string {
  const words = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return `${words}-${new Date(from).toISOString().slice(0, 16).replace(':', '')}.${ending}`
}
