/** A key that no other request has; crypto.randomUUID is there on https and localhost alone. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  )

/** A header that makes a request count once, however often it is sent: one key for each thing that somebody asks for. */
export const once = (key: string = newKey()) => ({ 'Idempotency-Key': key })
