/** The colours of lines, in the order in which a chart of many takes them; `before` is an earlier time's. */
export const seriesTones = ['main', 'second', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10'] as const
export const tones = [...seriesTones, 'before'] as const
export type Tone = (typeof tones)[number]

/** The tone of the nth line; beyond ten they come again. */
export function toneAt(n: number): Tone {
  return seriesTones[n % seriesTones.length] ?? 'main'
}
