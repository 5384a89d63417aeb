import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHttp, type Bearer } from '@/api/http'
import { stallLimit, uploader } from '@/api/upload'
import { explain } from '@/lib/explain'

/** A browser's request whose way a test decides. */
function wire() {
  const sent: FakeXhr[] = []
  class FakeXhr {
    upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {}
    onload = () => {}
    onerror = () => {}
    onabort = () => {}
    status = 201
    responseText = '{"slug":"kits"}'
    headers: Record<string, string> = {}
    size = 0
    open() {}
    setRequestHeader(name: string, value: string) {
      this.headers[name] = value
    }
    getAllResponseHeaders = () => 'content-type: application/json\r\netag: "x"\r\n'
    send(body: Blob) {
      this.size = body.size
      sent.push(this)
    }
    abort() {
      this.onabort()
    }
    answer(status: number) {
      this.status = status
      this.onload()
    }
  }
  return { sent, make: () => new FakeXhr() as unknown as XMLHttpRequest }
}

const bearer: Bearer = { token: () => 'old', renew: () => Promise.resolve('new') }
const megabyte = 1024 * 1024

function begin() {
  const { sent, make } = wire()
  const told: number[] = []
  const http = createHttp(bearer)
  const body = { version: '1.0.0', file: 'Kits.cs' }
  const parts = () => {
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(megabyte)]))
    return form
  }
  const params = { path: { slug: 'kits' } }
  const fetch = uploader(bearer, (percent) => told.push(percent), make)
  const answer = http.POST('/api/admin/modules/{slug}/versions', {
    params,
    body,
    bodySerializer: parts,
    fetch,
  })
  const end = answer.then(
    ({ data, response }) => ({ data, etag: response.headers.get('ETag') }),
    (error: unknown) => error,
  )
  return {
    sent,
    told,
    end,
    on: (n: number) => vi.waitFor(() => sent[n] ?? Promise.reject(new Error('not yet'))),
  }
}

describe('an upload', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  it('takes as long as it moves, and tells how far it is', async () => {
    const { told, end, on } = begin()
    const xhr = await on(0)
    expect(xhr.size).toBeGreaterThan(megabyte)
    expect(xhr.headers['authorization']).toBe('Bearer old')
    expect(xhr.headers['content-type']).toContain('multipart/form-data; boundary=')
    for (let n = 1; n <= 4; n++) {
      vi.advanceTimersByTime(0.75 * stallLimit)
      xhr.upload.onprogress?.({ loaded: n, total: 4 })
    }
    xhr.answer(201)
    expect(await end).toEqual({ data: { slug: 'kits' }, etag: '"x"' })
    expect(told).toEqual([25, 50, 75, 100])
  })

  it('ends where nothing moves any more', async () => {
    const { end, on } = begin()
    const xhr = await on(0)
    xhr.upload.onprogress?.({ loaded: 1, total: 4 })
    vi.advanceTimersByTime(stallLimit)
    const error = await end
    expect(error).toMatchObject({ failure: 'stalled' })
    expect(explain(error).title).toBe('The upload does not go on')
  })

  it('goes again with a renewed token, and says why it is refused', async () => {
    const { end, on } = begin()
    const first = await on(0)
    first.answer(401)
    const second = await on(1)
    expect([second.headers['authorization'], second.size]).toEqual(['Bearer new', first.size])
    second.responseText = '{"code":"conflict","title":"Conflict"}'
    second.answer(409)
    expect(await end).toMatchObject({ failure: 'status', status: 409, code: 'conflict' })
  })
})
