import { computed, ref, shallowRef } from 'vue'
import type { Palette } from '@/lib/option'
import { tones, type Tone } from '@/lib/tones'

export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const storageKey = 'corrosion.theme'
const systemDark = window.matchMedia('(prefers-color-scheme: dark)')

const theme = ref<Theme>(stored())
const palette = shallowRef<Palette>(readPalette())

function stored(): Theme {
  try {
    return themes.find((t) => t === localStorage.getItem(storageKey)) ?? 'system'
  } catch {
    return 'system'
  }
}

/** Puts the chosen theme on the document and reads its colours back for the canvases. */
function apply(): void {
  const system = systemDark.matches ? 'dark' : 'light'
  document.documentElement.dataset['theme'] = theme.value === 'system' ? system : theme.value
  palette.value = readPalette()
}

// The stylesheet is the only place that names colours.
function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  return {
    ...(Object.fromEntries(tones.map((t) => [t, colour(`--data-${t}`)])) as Record<Tone, string>),
    text: colour('--ink-soft'),
    rule: colour('--rule'),
    gap: colour('--gap'),
    surface: colour('--surface'),
    font: colour('--font'),
    fontSize: parseFloat(style.fontSize) * 0.6875,
  }
}

function setTheme(next: Theme): void {
  theme.value = next
  try {
    localStorage.setItem(storageKey, next)
  } catch {
    // Without storage the choice holds for this page only.
  }
  apply()
}

systemDark.addEventListener('change', apply)

/** Puts the stored theme on the page; called once, after the stylesheet is there. */
export function startTheme(): void {
  apply()
}

export function useTheme() {
  return { theme: computed(() => theme.value), palette: computed(() => palette.value), setTheme }
}
