// SPDX-License-Identifier: Apache-2.0
// Determines where and how metrics are pushed: --otlp, and the variables of OpenTelemetry's exporters
// (opentelemetry.io/docs/specs/otel/protocol/exporter, …/configuration/sdk-environment-variables). Pure.
// As specified there, an empty variable counts as unset. An invalid number or word is reported and ignored.
import { fail, quote } from '../../errors/errors.ts'

type Env = { readonly [name: string]: string | undefined }

export interface OtlpTarget {
  url: URL
  headers: [string, string][]
  /** For one push. */
  timeoutMs: number
  gzip: boolean
  /** Of the resource, over those that hutch has itself. */
  attributes: { [name: string]: string }
  /** Between two pushes, if the environment says. */
  intervalMs: number | undefined
  /** Variables that are left aside, and why. */
  warnings: string[]
}

const anyHeaders = 'OTEL_EXPORTER_OTLP_HEADERS'
const anyEndpoint = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const ownEndpoint = 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'

/** `text` is that of --otlp: a URL, or `env`. @throws OPTION_INVALID */
export function readTarget(text: string | undefined, env: Env): OtlpTarget | undefined {
  if (text === undefined) return undefined
  const warnings: string[] = []
  /** Of the variable for metrics, or else of the one for all signals. */
  const nameOf = (end: string) => (env[`OTEL_EXPORTER_OTLP_METRICS_${end}`] ? `METRICS_${end}` : end)
  const readOne = <T>(name: string, parse: (text: string) => T | undefined, accepted: string): T | undefined => {
    const given = env[name]
    if (!given) return undefined
    const value = parse(given)
    if (value === undefined) warnings.push(`${name} is left aside: ${quote(given)} is not ${accepted}`)
    return value
  }
  const read = <T>(end: string, parse: (text: string) => T | undefined, accepted: string) =>
    readOne(`OTEL_EXPORTER_OTLP_${nameOf(end)}`, parse, accepted)
  const headers = `OTEL_EXPORTER_OTLP_${nameOf('HEADERS')}`
  const compression = read('COMPRESSION', (word) => (/^(gzip|none)$/.test(word) ? word : undefined), 'gzip or none')
  const timeoutMs = read('TIMEOUT', parseMs, 'a number of milliseconds, 100 at least')
  read('PROTOCOL', (word) => (word === 'http/protobuf' ? word : undefined), 'http/protobuf, the protocol of hutch')
  return {
    url: text === 'env' ? readEndpoint(env) : readUrl(text),
    headers: parseHeaders(env[headers] ?? '', headers),
    timeoutMs: timeoutMs ?? 10_000,
    gzip: compression !== 'none',
    attributes: {
      ...readOne('OTEL_RESOURCE_ATTRIBUTES', parseAttributes, 'name=value,name=value, percent-encoded'),
      ...(env.OTEL_SERVICE_NAME && { 'service.name': env.OTEL_SERVICE_NAME }),
    },
    intervalMs: readOne('OTEL_METRIC_EXPORT_INTERVAL', parseMs, 'a number of milliseconds, 100 at least'),
    warnings,
  }
}

function parseMs(text: string): number | undefined {
  const ms = /^\s*\d{1,10}\s*$/.test(text) ? Number(text) : 0
  return ms >= 100 && ms < 2 ** 31 ? ms : undefined
}

/** The variable for metrics is taken as it is; the one for all signals is where their paths begin. @throws OPTION_INVALID */
function readEndpoint(env: Env): URL {
  const own = env[ownEndpoint]
  if (own) return checkUrl(own, ownEndpoint)
  const any = env[anyEndpoint]
  if (!any)
    throw fail('OPTION_INVALID', {
      name: '--otlp',
      value: 'env',
      why: `neither ${ownEndpoint} nor ${anyEndpoint} is set`,
      accepted: 'a URL such as http://127.0.0.1:4318, or env with one of them set',
    })
  const url = checkUrl(any, anyEndpoint)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`
  return url
}

/** @throws OPTION_INVALID */
export function readUrl(text: string): URL {
  const url = checkUrl(text, '--otlp')
  // the default path of a receiver, unless a path is given
  if (url.pathname === '/') url.pathname = '/v1/metrics'
  return url
}

function checkUrl(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.username || url?.password)
    throw fail('OPTION_INVALID', {
      name,
      // a key may be in it
      value: `${url.protocol}//…@${url.host}`,
      why: name === '--otlp' ? 'keys on a command line can be read by all users' : 'an address cannot contain a key',
      accepted: `the key in ${anyHeaders}, such as authorization=Basic%20…`,
    })
  if (url && /^https?:$/.test(url.protocol)) return url
  throw fail('OPTION_INVALID', {
    name,
    value: text,
    why: 'it is not a URL for pushing',
    accepted: 'a URL such as http://127.0.0.1:4318',
  })
}

/** `name=value,…`, percent-encoded, as OpenTelemetry's exporters have them: keys do not belong on a command line. @throws OPTION_INVALID */
export function parseHeaders(text: string, variable = anyHeaders): [string, string][] {
  return wordsOf(text).map((word) => {
    const [name, value] = parsePair(word) ?? []
    if (name !== undefined && value !== undefined && /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t -~]*$/.test(value))
      return [name, value]
    throw fail('OPTION_INVALID', {
      name: variable,
      // a key may be in it
      value: `${/^\s*([\w-]+)\s*=/.exec(word)?.[1] ?? ''}…`,
      accepted: 'name=value,name=value, percent-encoded',
    })
  })
}

/** All of them, or none. */
function parseAttributes(text: string): { [name: string]: string } | undefined {
  const pairs = wordsOf(text).map(parsePair)
  if (pairs.some((pair) => !pair?.[0])) return undefined
  return Object.fromEntries(pairs as [string, string][])
}

function wordsOf(text: string): string[] {
  return text.split(',').filter((word) => word.trim() !== '')
}

function parsePair(word: string): [string, string] | undefined {
  const at = word.indexOf('=')
  try {
    // a percent sign with something else behind it is an error
    return at < 0 ? undefined : [word.slice(0, at).trim(), decodeURIComponent(word.slice(at + 1).trim())]
  } catch {
    return undefined
  }
}
