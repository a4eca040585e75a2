// SPDX-License-Identifier: Apache-2.0
// Pushes metrics repeatedly by OTLP/HTTP (opentelemetry.io/docs/specs/otlp), and reports the receiver's errors.
import { hostname } from 'node:os'
import { gzipSync } from 'node:zlib'
import { fail, quote } from '../../errors/errors.ts'
import { writeStderr } from '../../system/stderr.ts'
import type { MetricsSample } from './collect.ts'
import type { OtlpTarget } from './otel-settings.ts'
import { decodePartial, decodeStatus, encodeOtlp } from './otlp.ts'

declare const HUTCH_VERSION: string

/** Maximum bytes to read of a receiver's HTTP response. */
const maxBytes = 4096
/** HTTP status codes after which a push may be retried. It may also be retried if no response came. */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504])
/** Delay in milliseconds after a first failed push; the delay doubles with each further failure. */
const firstWaitMs = 1000
const maxWaitMs = 60_000
/** Maximum delay in milliseconds that hutch accepts from a receiver's Retry-After header. */
const longestRetryAfterMs = 3_600_000

interface Push {
  /** Sends all metrics once. @throws FILE_REFUSED */
  once(): Promise<void>
  /**
   * Sends all metrics at once, then after each interval, or later while the receiver fails. Failed pushes are not
   * stored: the figures are totals, so the next push has them all. The first failure and the recovery are each reported
   * once.
   */
  start(interval: number): void
  stop(): void
}

/** The outcome of a push: success, a warning or a failure; whether it can be retried, and the minimum delay. */
interface Outcome {
  warning?: string
  failure?: string
  retry?: boolean
  waitMs?: number
}

export function openPush(takeSample: () => MetricsSample, target: OtlpTarget): Push {
  const { url, timeoutMs } = target
  const origin = { host: hostname(), version: HUTCH_VERSION, attributes: target.attributes }
  const headers: [string, string][] = [
    ...target.headers,
    ['content-type', 'application/x-protobuf'],
    ...(target.gzip ? [['content-encoding', 'gzip'] as [string, string]] : []),
  ]
  const late = `no answer in ${timeoutMs / 1000} s`
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let current: AbortController | undefined
  for (const warning of target.warnings) warn(warning)
  const send = async (): Promise<Outcome> => {
    const aborter = new AbortController()
    current = aborter
    const deadline = setTimeout(() => aborter.abort(late), timeoutMs)
    try {
      const { families, time } = takeSample()
      const bytes = encodeOtlp(families, time, origin)
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body: target.gzip ? gzipSync(bytes, { level: 1 }) : bytes,
        redirect: 'error',
        signal: aborter.signal,
      })
      return classifyResponse(response, await readSome(response))
    } catch (error) {
      if (error === late) return { failure: late, retry: true }
      const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException }
      return { failure: quote(cause?.code ?? cause?.message ?? message), retry: true }
    } finally {
      clearTimeout(deadline)
    }
  }
  return {
    async once() {
      const { failure, warning } = await send()
      if (warning !== undefined) warn(warning)
      if (failure === undefined) return
      const remedy = 'check that an OTLP/HTTP receiver runs there, and read its log'
      throw fail('FILE_REFUSED', { what: 'push metrics to', path: url.href, errno: failure, remedy })
    },
    start(interval) {
      let due = performance.now()
      let failures = 0
      const lastOutcome: Outcome = {}
      const next = async () => {
        const { failure, warning, retry, waitMs = 0 } = await send()
        if (stopped) return
        failures = retry ? failures + 1 : 0
        if (failure !== undefined && lastOutcome.failure === undefined)
          warn(
            `cannot push metrics to ${quote(url.href)}: ${failure}; ${retry ? 'it will be retried' : 'the next push is at the next interval'}`,
          )
        if (failure === undefined && lastOutcome.failure !== undefined) warn('pushing metrics works again')
        if (warning !== undefined && lastOutcome.warning === undefined) warn(warning)
        Object.assign(lastOutcome, { failure, warning })
        const now = performance.now()
        due = retry ? now + Math.max(waitMs, backOff(failures, Math.random())) : Math.max(due + interval, now)
        timer = setTimeout(next, due - now)
      }
      void next()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      current?.abort()
    },
  }
}

/**
 * Returns the delay in milliseconds after this many failures in a row. The delay doubles each time. A random part of up
 * to a half is subtracted, so that many senders do not retry at once.
 */
export function backOff(failures: number, random: number): number {
  return Math.min(maxWaitMs, firstWaitMs * 2 ** (failures - 1)) * (1 - random / 2)
}

function warn(text: string): void {
  try {
    writeStderr(`hutch: ${text}\n`)
  } catch {
    // the response's body is not needed, so an error in it is ignored
  }
}

function classifyResponse(response: Response, body: Buffer): Outcome {
  const { ok, status, headers } = response
  const binary = headers.get('content-type')?.startsWith('application/x-protobuf')
  if (ok) {
    const partial = binary ? decodePartial(body) : undefined
    return partial ? { warning: `the receiver left out ${partial.rejected} figures: ${quote(partial.why)}` } : {}
  }
  const said = (binary ? decodeStatus(body) : body.toString()).split('\n', 1)[0]!.trim()
  const failure = `it answers ${status}${said === '' ? '' : ` ${quote(said)}`}`
  if (!retryable.has(status)) return { failure }
  const after = headers.get('retry-after')
  if (after === null) return { failure, retry: true }
  // Retry-After is a number of seconds, or a date
  const waitMs = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now()
  return { failure, retry: true, waitMs: Math.min(Math.max(waitMs || 0, 0), longestRetryAfterMs) }
}

async function readSome(response: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    pieces.push(piece)
    length += piece.length
    if (length >= maxBytes) break
  }
  return Buffer.concat(pieces).subarray(0, maxBytes)
}
