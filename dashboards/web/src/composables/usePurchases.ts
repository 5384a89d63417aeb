import { bodyOf } from '@/api/http'
import type { Purchase, PurchasePage, Receipt } from '@/api/modules'
import { once } from '@/lib/once'
import { http, useSession } from '@/session'
import { useListing } from './useListing'
import { usePolling } from './usePolling'

/** The license's purchases, the newest first. */
export function usePurchases() {
  return useListing<Purchase>(
    () => 'purchases',
    async (cursor, signal) => {
      const query = { limit: '50', ...(cursor ? { cursor } : {}) }
      const answer = http.GET('/api/modules/purchases', { params: { query }, signal })
      const page = await bodyOf<PurchasePage>(answer)
      return { items: page.purchases, next: page.next }
    },
  )
}

/** A purchase, and its receipt once it was paid. */
export interface PurchaseView {
  purchase: Purchase
  receipt: Receipt | null
}

/** One purchase with its transactions, kept fresh while its payment is settled. */
export function usePurchase(id: () => string) {
  const { subject } = useSession()
  return usePolling<PurchaseView>(
    () => ({
      key: id(),
      subject: `${subject.value} ${id()}`,
      load: async (signal) => {
        const params = { path: { id: id() } }
        const purchase = await bodyOf<Purchase>(http.GET('/api/modules/purchases/{id}', { params, signal }))
        const receipt = purchase.completed_at
          ? await bodyOf<Receipt>(http.GET('/api/modules/purchases/{id}/receipt', { params, signal }))
          : null
        return { purchase, receipt }
      },
    }),
    5_000,
  )
}

/** Buys a module for the price that the buyer has seen; the same key again is the same purchase. */
export function buy(slug: string, amount: string, currency: string, key: string): Promise<Purchase> {
  const params = { path: { slug }, header: once(key) }
  return bodyOf<Purchase>(http.POST('/api/modules/{slug}/purchase', { params, body: { amount, currency } }))
}

/** Completes a purchase that the buyer has agreed to at the payment provider. */
export const capture = (id: string): Promise<Purchase> =>
  bodyOf<Purchase>(
    http.POST('/api/modules/purchases/{id}/capture', { params: { path: { id }, header: once() } }),
  )

export async function cancelPurchase(id: string): Promise<void> {
  await http.DELETE('/api/modules/purchases/{id}', { params: { path: { id } } })
}

/** Gives a module back. */
export const giveBack = (id: string, reason: string): Promise<Purchase> =>
  bodyOf<Purchase>(
    http.POST('/api/modules/purchases/{id}/refund', {
      params: { path: { id }, header: once() },
      body: reason ? { reason } : {},
    }),
  )
