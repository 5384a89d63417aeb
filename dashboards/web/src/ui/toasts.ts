import { shallowRef } from 'vue'

export interface Toast {
  id: number
  title: string
  text?: string
  tone: 'good' | 'warn'
}

const toasts = shallowRef<Toast[]>([])
let last = 0

/** Says something in passing, in a corner of the page and to screen readers. What needs a decision belongs in the page. */
export function toast(title: string, text?: string, tone: Toast['tone'] = 'good'): void {
  toasts.value = [...toasts.value, { id: ++last, title, text, tone }]
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((t) => t.id !== id)
}

export const useToasts = () => toasts
