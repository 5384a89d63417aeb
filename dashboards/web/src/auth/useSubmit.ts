import { computed, ref } from 'vue'
import { faultOf } from '@/api/error'
import { explain } from '@/lib/explain'

/** A form's way to the server and back: busy while it waits, and what the server found wrong. */
export function useSubmit(work: () => Promise<void>) {
  const busy = ref(false)
  const error = ref<unknown>(null)
  const why = computed(() => (error.value ? explain(error.value) : null))

  async function submit(): Promise<void> {
    busy.value = true
    error.value = null
    try {
      await work()
    } catch (caught) {
      error.value = caught
    } finally {
      busy.value = false
    }
  }
  return { busy, error, why, submit, fault: (field: string) => faultOf(error.value, field) }
}
