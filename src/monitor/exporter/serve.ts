// SPDX-License-Identifier: Apache-2.0
// Serves metrics by HTTP, for Prometheus to scrape.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { HutchError, nameOptions } from '../../errors/errors.ts'
import type { OptionNames } from '../../errors/remedy-text.ts'
import { writeStderr } from '../../system/stderr.ts'
import { namesMachine } from './auth.ts'
import type { MetricsSample } from './collect.ts'
import { listen } from './listen.ts'
import { chooseFormat, contentTypes, formatMetrics, type TextFormat, takesGzip } from './prometheus-text.ts'

/** Maximum number of connections, so that idle clients cannot use up all descriptors. */
const maxConnections = 64
const silentMs = 10_000

const compress = promisify(gzip)

/** Starts the HTTP server for the metrics. `sample` takes a sample; `names` are the option names in errors. @throws FILE_REFUSED */
export async function serve(
  sample: () => MetricsSample,
  [host, port]: [string, number],
  names: OptionNames,
): Promise<Server> {
  const answer = makeAnswers(sample, host, (error) =>
    HutchError.is(error) ? nameOptions(error, names).message : error.message,
  )
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    void answer(request, response)
  })
  server.maxConnections = maxConnections
  server.setTimeout(silentMs)
  const { place } = await listen(server, host, port)
  writeStderr(`hutch: metrics at http://${place}/metrics\n`)
  return server
}

type Answer = [status: number, body: string | Buffer, headers?: { [name: string]: string }]

function makeAnswers(sample: () => MetricsSample, listening: string, describe: (error: Error) => string) {
  const textOf = makeTexts()
  const choose = async ({ method, url, headers, socket }: IncomingMessage): Promise<Answer> => {
    if (!mayAsk(headers.host, socket.localAddress ?? '', listening))
      return [403, 'the Host header is not an address of this machine\n']
    if (method !== 'GET' && method !== 'HEAD') return [405, 'ask by GET\n', { allow: 'GET, HEAD' }]
    const path = url?.split('?', 1)[0]
    if (path !== '/metrics') return [path === '/' ? 200 : 404, 'the metrics are at /metrics\n']
    const format = chooseFormat(headers.accept)
    const zipped = takesGzip(String(headers['accept-encoding'] ?? ''))
    const body = await textOf(sample(), format, zipped)
    return [
      200,
      body,
      {
        'content-type': contentTypes[format],
        ...(zipped && { 'content-encoding': 'gzip' }),
        vary: 'accept, accept-encoding',
      },
    ]
  }
  return async (request: IncomingMessage, response: ServerResponse) => {
    const [status, body, headers] = await choose(request).catch((error): Answer => [500, `${describe(error)}\n`])
    response
      .writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body), ...headers })
      .end(request.method === 'HEAD' ? '' : body)
  }
}

/** Returns a cache of the formatted text: requests that get the same sample share one text. */
function makeTexts() {
  let last: MetricsSample | undefined
  const texts = new Map<string, Promise<Buffer>>()
  const make = async (sample: MetricsSample, format: TextFormat, zipped: boolean) => {
    const text = Buffer.from(formatMetrics(sample.families, format))
    return zipped ? compress(text, { level: 1 }) : text
  }
  return (sample: MetricsSample, format: TextFormat, zipped: boolean): Promise<Buffer> => {
    if (sample !== last) texts.clear()
    last = sample
    const key = `${format} ${zipped}`
    const text = texts.get(key) ?? make(sample, format, zipped)
    texts.set(key, text)
    return text
  }
}

/**
 * Returns true if a request is allowed. A page in a local browser must not read the metrics through a domain name that
 * points to this machine. Other machines are allowed, because only --listen makes their requests possible.
 */
function mayAsk(host: string | undefined, localAddress: string, listening: string): boolean {
  if (host === undefined || !/^(::ffff:)?127\.|^::1$/.test(localAddress)) return true
  const own = hostname()
  const [name = ''] = host.split(':')
  return namesMachine(host, [listening, own, ...(name.startsWith(`${own}.`) ? [name] : [])])
}
