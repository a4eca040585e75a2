// SPDX-License-Identifier: Apache-2.0
// Metrics by OTLP/HTTP (opentelemetry.io/docs/specs/otlp): pushed again and again, and what the receiver says of it.
import { writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { gzipSync } from 'node:zlib'
import { fail, quote } from '../../errors.ts'
import { decodePartial, decodeRefusal, encodeOtlp } from '../../survey/otlp.ts'
import type { Look } from './look.ts'

declare const HUTCH_VERSION: string

/** For one push; the next one waits for it. */
const mostMs = 10_000
const late = `no answer in ${mostMs / 1000} s`
/** Of an answer, however long it is. */
const mostBytes = 4096

export interface Target {
  url: URL
  headers: [string, string][]
}

export interface Push {
  /** One push. @throws FILE_REFUSED */
  once(): Promise<void>
  /** Pushes at once and then after each interval. A failure is told once, and its end. */
  start(interval: number): void
  stop(): void
}

/** What came of a push: nothing to tell, a warning or a failure; and how long the receiver wants to be left alone. */
interface Outcome {
  warning?: string
  failure?: string
  waitMs?: number
}

export function openPush(look: () => Look, { url, headers }: Target): Push {
  const origin = { host: hostname(), version: HUTCH_VERSION }
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let current: AbortController | undefined
  const send = async (): Promise<Outcome> => {
    const aborter = new AbortController()
    current = aborter
    const deadline = setTimeout(() => aborter.abort(late), mostMs)
    try {
      const { families, time } = look()
      const response = await fetch(url, {
        method: 'POST',
        headers: [...headers, ['content-type', 'application/x-protobuf'], ['content-encoding', 'gzip']],
        body: gzipSync(encodeOtlp(families, time, origin), { level: 1 }),
        redirect: 'error',
        signal: aborter.signal,
      })
      return judge(response, await readSome(response))
    } catch (error) {
      if (error === late) return { failure: late }
      const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException }
      return { failure: quote(cause?.code ?? cause?.message ?? message) }
    } finally {
      clearTimeout(deadline)
    }
  }
  return {
    async once() {
      const { failure, warning } = await send()
      if (warning !== undefined) tell(warning)
      if (failure === undefined) return
      const remedy = 'see whether a receiver of OTLP/HTTP is there, and what it has written'
      throw fail('FILE_REFUSED', { what: 'push metrics to', path: url.href, errno: failure, remedy })
    },
    start(interval) {
      let [busy, until] = [false, 0]
      const told: Outcome = {}
      const next = async () => {
        if (busy || performance.now() < until) return
        busy = true
        const { failure, warning, waitMs = 0 } = await send()
        busy = false
        if (stopped) return
        until = performance.now() + waitMs
        if (failure !== undefined && told.failure === undefined)
          tell(`cannot push metrics to ${quote(url.href)}: ${failure}; it is tried again`)
        if (failure === undefined && told.failure !== undefined) tell('metrics are pushed again')
        if (warning !== undefined && told.warning === undefined) tell(warning)
        Object.assign(told, { failure, warning })
      }
      void next()
      timer = setInterval(next, interval)
    },
    stop() {
      stopped = true
      clearInterval(timer)
      current?.abort()
    },
  }
}

function tell(text: string): void {
  try {
    writeSync(2, `hutch: ${text}\n`)
  } catch {
    // nobody reads it: no reason to stop
  }
}

function judge(response: Response, body: Buffer): Outcome {
  const { ok, status, headers } = response
  const binary = headers.get('content-type')?.startsWith('application/x-protobuf')
  if (ok) {
    const partial = binary ? decodePartial(body) : undefined
    return partial ? { warning: `the receiver left out ${partial.rejected} figures: ${quote(partial.why)}` } : {}
  }
  const said = (binary ? decodeRefusal(body) : body.toString()).split('\n', 1)[0]!.trim()
  const failure = `it answers ${status}${said === '' ? '' : ` ${quote(said)}`}`
  const after = status === 429 || status === 503 ? headers.get('retry-after') : null
  if (after === null) return { failure }
  // seconds or a date
  const waitMs = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now()
  return { failure, waitMs: Math.min(Math.max(waitMs || 0, 0), 3_600_000) }
}

async function readSome(response: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    pieces.push(piece)
    length += piece.length
    if (length >= mostBytes) break
  }
  return Buffer.concat(pieces).subarray(0, mostBytes)
}

/** @throws OPTION_INVALID */
export function readTarget(text: string | undefined, env: NodeJS.ProcessEnv): Target | undefined {
  if (text === undefined) return undefined
  const name = env.OTEL_EXPORTER_OTLP_METRICS_HEADERS ? 'OTEL_EXPORTER_OTLP_METRICS_HEADERS' : headersName
  return { url: readUrl(text), headers: parseHeaders(env[name] ?? '', name) }
}

/** @throws OPTION_INVALID */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.username || url?.password)
    throw fail('OPTION_INVALID', {
      name: '--otlp',
      // a key may be in it
      value: `${url.protocol}//…@${url.host}`,
      why: 'keys on a command line can be read by all users',
      accepted: `the key in ${headersName}, such as authorization=Basic%20…`,
    })
  if (!url || !/^https?:$/.test(url.protocol))
    throw fail('OPTION_INVALID', {
      name: '--otlp',
      value: text,
      why: 'it is no URL that can be pushed to',
      accepted: 'a URL such as http://127.0.0.1:4318',
    })
  // as a receiver has it, unless a path is named
  if (url.pathname === '/') url.pathname = '/v1/metrics'
  return url
}

const headersName = 'OTEL_EXPORTER_OTLP_HEADERS'

/** `name=value,…`, percent-encoded, as OpenTelemetry's exporters have them: keys do not belong on a command line. @throws OPTION_INVALID */
export function parseHeaders(text: string, variable = headersName): [string, string][] {
  const words = text.split(',').filter((word) => word.trim() !== '')
  return words.map((word) => {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=(.*)$/.exec(word) ?? []
    try {
      const decoded = decodeURIComponent((value ?? '').trim())
      if (name !== undefined && /^[\t -~]*$/.test(decoded)) return [name, decoded]
    } catch {
      // a percent sign with something else behind it
    }
    throw fail('OPTION_INVALID', {
      name: variable,
      // a key may be in it
      value: `${name ?? ''}…`,
      why: 'it is not understood',
      accepted: 'name=value,name=value, percent-encoded',
    })
  })
}
