import { ref } from 'vue'

const key = 'corrosion.votes'

interface Ballots {
  email: string
  items: string[]
}

function stored(): Ballots {
  try {
    const value = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Ballots>
    return { email: value.email ?? '', items: Array.isArray(value.items) ? value.items : [] }
  } catch {
    return { email: '', items: [] }
  }
}

/** What was voted for from this browser. It only decides which way a button turns; the server counts. */
export function useBallots() {
  const before = stored()
  const email = ref(before.email)
  const voted = ref(new Set(before.items))

  function remember(item: string, on: boolean): void {
    const next = new Set(voted.value)
    if (on) next.add(item)
    else next.delete(item)
    voted.value = next
    try {
      localStorage.setItem(key, JSON.stringify({ email: email.value, items: [...next] }))
    } catch {
      // Storage may be closed to us: the vote counts all the same.
    }
  }
  return { email, voted, remember }
}
