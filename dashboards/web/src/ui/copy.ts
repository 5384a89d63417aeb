import { toast } from './toasts'

/** Puts text on the clipboard and says so; `what` is said of it, as in "The key copied". */
export async function copyText(what: string, text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(`${what} copied`)
  } catch {
    toast('The browser does not let this page copy', 'It allows it on https and on localhost.', 'warn')
  }
}
