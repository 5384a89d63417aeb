import type { Challenge, Work } from '@/api/types'

/** How many digests are asked for at once: the browser hashes them beside the page. */
const batch = 256

/** Whether a digest begins with so many zero bits. */
export function leadsWithZeros(digest: Uint8Array, bits: number): boolean {
  for (let i = 0; i < Math.ceil(bits / 8); i++) {
    const want = Math.min(8, bits - 8 * i)
    if ((digest[i] ?? 255) >> (8 - want) !== 0) return false
  }
  return true
}

/** Solves a challenge: for each puzzle the first number whose digest leads with enough zeros. */
export async function solve(challenge: Challenge, subtle: SubtleCrypto): Promise<Work> {
  const nonces: number[] = []
  for (let puzzle = 0; puzzle < challenge.puzzles; puzzle++) {
    nonces.push(await solveOne(`${challenge.challenge}:${puzzle}:`, challenge.bits, subtle))
  }
  return { challenge: challenge.challenge, nonces }
}

async function solveOne(prefix: string, bits: number, subtle: SubtleCrypto): Promise<number> {
  const encoder = new TextEncoder()
  for (let first = 0; ; first += batch) {
    const digests = await Promise.all(
      Array.from({ length: batch }, (_, i) => subtle.digest('SHA-256', encoder.encode(prefix + (first + i)))),
    )
    const found = digests.findIndex((d) => leadsWithZeros(new Uint8Array(d), bits))
    if (found >= 0) return first + found
  }
}
