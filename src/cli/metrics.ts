// SPDX-License-Identifier: Apache-2.0
// hutch metrics: all groups' figures for Prometheus to scrape, or pushed by OTLP/HTTP, until a signal comes.
import { writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { readGroupFile } from '../cgroup/files.ts'
import { fail, quote } from '../errors.ts'
import { readHost } from '../host/host.ts'
import { contentTypes, formatMetrics } from '../survey/exposition.ts'
import { type Family, makeMetrics } from '../survey/metrics.ts'
import { makeOtlp } from '../survey/otlp.ts'
import { openSurvey, type Survey } from '../survey/survey.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { readInterval } from './looking.ts'
import { print } from './output.ts'

declare const HUTCH_VERSION: string

const address = '127.0.0.1:9753'

const flags: FlagTable = {
  listen: {
    value: 'ADDRESS:PORT',
    help: `where Prometheus asks, at /metrics (${address}); port 0 is any that is free`,
  },
  once: { help: 'print them, and end' },
  'open-metrics': { help: 'with --once: in the OpenMetrics format' },
  otlp: {
    value: 'URL',
    help: 'push them there as OTLP/HTTP JSON (http://127.0.0.1:4318/v1/metrics); listens only if --listen is given, too',
  },
  interval: { value: 'TIME', help: 'time between two pushes (15s)' },
}

const usage = `Usage: hutch metrics [OPTIONS]

The figures of all control groups, under cAdvisor's names.

${formatFlags(flags)}
`

/** Whoever asks more often than this gets the same answer, so that askers cannot keep a processor busy. */
const freshMs = 200

/** Someone who opens connections and says nothing must not take all descriptors. */
const mostConnections = 64

interface Look {
  at: number
  time: number
  families: Family[]
}

export async function main(args: string[]): Promise<number> {
  const { values, rest } = parseFlags(args, flags)
  if (values.help) {
    print(usage)
    return 0
  }
  if (rest.length > 0) throw fail('OPTION_UNKNOWN', { name: rest[0]!, known: 'hutch metrics takes options alone' })
  const url = readUrl(values.otlp?.at(-1))
  const interval = readInterval(values, 15_000, 100)
  const listen = parseAddress(values.listen?.at(-1) ?? address)
  const host = readHost()
  const survey = openSurvey(host)
  const look = lookAt(survey)
  try {
    if (values.once) {
      print(formatMetrics(look().families, values['open-metrics'] ? 'openMetrics' : 'prometheus'))
      return 0
    }
    const ended = new Promise<number>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(0))
    })
    const server = url === undefined || values.listen ? await serve(look, listen) : undefined
    const stop = url === undefined ? undefined : push(look, url, interval)
    const status = await ended
    stop?.()
    server?.close()
    server?.closeAllConnections()
    return status
  } finally {
    survey.close()
  }
}

/** As cAdvisor has it; the numbers of one that is gone. */
function nameDevice(device: string): string {
  const name = /^DEVNAME=(.+)$/m.exec(readGroupFile(`/sys/dev/block/${device}`, 'uevent') ?? '')?.[1]
  return name === undefined ? device : `/dev/${name}`
}

function lookAt(survey: Survey): () => Look {
  let last: Look | undefined
  return () => {
    const at = performance.now()
    if (last && at - last.at < freshMs) return last
    const snapshot = survey.sample(true)
    last = { at, time: snapshot.time, families: makeMetrics(snapshot, performance.now() - at, nameDevice) }
    return last
  }
}

/** @throws FILE_REFUSED */
async function serve(look: () => Look, [host, port]: [string, number]): Promise<Server> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) =>
    answer(look, request, response),
  )
  server.maxConnections = mostConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        fail(
          'FILE_REFUSED',
          {
            what: 'listen at',
            path: `${host}:${port}`,
            errno: error.code ?? 'EINVAL',
            remedy: 'name another address with --listen; port 0 is any that is free',
          },
          error,
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  // such as a connection for which there is no descriptor left
  server.on('error', () => {})
  const bound = server.address()
  const shown = host.includes(':') ? `[${host}]` : host
  if (bound !== null && typeof bound === 'object')
    writeSync(2, `hutch: metrics at http://${shown}:${bound.port}/metrics\n`)
  return server
}

function answer(look: () => Look, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url?.split('?', 1)[0]
  const say = (status: number, type: string, text: string) =>
    response
      .writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
      .end(request.method === 'HEAD' ? '' : text)
  if (request.method !== 'GET' && request.method !== 'HEAD') say(405, 'text/plain', 'ask by GET\n')
  else if (path === '/') say(200, 'text/plain', 'the metrics are at /metrics\n')
  else if (path !== '/metrics') say(404, 'text/plain', 'the metrics are at /metrics\n')
  else {
    const format = request.headers.accept?.includes('application/openmetrics-text') ? 'openMetrics' : 'prometheus'
    say(200, contentTypes[format], formatMetrics(look().families, format))
  }
}

/** Pushes at once and then after each interval. A failure is told once, and its end. */
function push(look: () => Look, url: URL, interval: number): () => void {
  const headers = parseHeaders(process.env.OTEL_EXPORTER_OTLP_HEADERS ?? '')
  const origin = { host: hostname(), version: HUTCH_VERSION, started: Date.now() }
  let failing = false
  let busy = false
  const tell = (text: string) => writeSync(2, `hutch: ${text}\n`)
  const send = async () => {
    if (busy) return
    busy = true
    try {
      const { families, time } = look()
      const why = await post(url, headers, JSON.stringify(makeOtlp(families, time, origin)), interval)
      if (why !== undefined && !failing) tell(`cannot push metrics to ${quote(url.href)}: ${why}; it is tried again`)
      if (why === undefined && failing) tell('metrics are pushed again')
      failing = why !== undefined
    } finally {
      busy = false
    }
  }
  void send()
  const timer = setInterval(send, interval)
  return () => clearInterval(timer)
}

/** undefined, or why it failed. */
async function post(url: URL, headers: [string, string][], body: string, timeout: number): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: [...headers, ['content-type', 'application/json']],
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(Math.min(timeout, 10_000)),
    })
    await response.body?.cancel()
    return response.ok ? undefined : `it answers ${response.status}`
  } catch (error) {
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException }
    return quote(cause?.code ?? cause?.message ?? message)
  }
}

/** `127.0.0.1:9753`, `[::1]:9753`, `:9753` (all addresses). @throws OPTION_INVALID */
export function parseAddress(text: string): [host: string, port: number] {
  const [, six, four, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) < 65_536) return [six ?? (four === '' ? '::' : four!), Number(port)]
  throw fail('OPTION_INVALID', {
    name: '--listen',
    value: text,
    why: 'it is no address with a port',
    accepted: `an address such as ${address}, [::1]:9753, or :9753 for all`,
  })
}

/** `name=value,…`, percent-encoded, as OpenTelemetry's exporters have them: keys do not belong on a command line. @throws OPTION_INVALID */
export function parseHeaders(text: string): [string, string][] {
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
      name: 'OTEL_EXPORTER_OTLP_HEADERS',
      // a key may be in it
      value: `${name ?? ''}…`,
      why: 'it is not understood',
      accepted: 'name=value,name=value, percent-encoded',
    })
  })
}

function readUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol)) return url
  throw fail('OPTION_INVALID', {
    name: '--otlp',
    value: text,
    why: 'it is no URL that can be pushed to',
    accepted: 'a URL such as http://127.0.0.1:4318/v1/metrics',
  })
}
