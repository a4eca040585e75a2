// SPDX-License-Identifier: Apache-2.0
// Determines where and how metrics are pushed: --otlp, and the variables of OpenTelemetry's exporters
// (opentelemetry.io/docs/specs/otel/protocol/exporter, …/configuration/sdk-environment-variables). Pure. As that
// specification requires, an empty variable counts as unset. An invalid number or word is reported and ignored.
import { fail, quote } from '../../errors/errors.ts'

type Env = { readonly [name: string]: string | undefined }

export interface OtlpTarget {
  url: URL
  headers: [string, string][]
  /** Timeout of one push (sending all metrics once), in milliseconds. */
  timeoutMs: number
  gzip: boolean
  /** Attributes of the OpenTelemetry resource, which override those that hutch sets. */
  attributes: { [name: string]: string }
  /** Milliseconds between two pushes; undefined if the environment does not set it. */
  intervalMs: number | undefined
  /** The environment variables that are ignored, each with the reason. */
  warnings: string[]
}

const anyHeaders = 'OTEL_EXPORTER_OTLP_HEADERS'
const anyEndpoint = 'OTEL_EXPORTER_OTLP_ENDPOINT'
const ownEndpoint = 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'

/** Reads the argument of --otlp: a URL, or `env` to read the receiver from the environment variables. @throws OPTION_INVALID */
export function readTarget(text: string | undefined, env: Env): OtlpTarget | undefined {
  if (text === undefined) return undefined
  const warnings: string[] = []
  /** Returns the name of the variable for metrics if it is set, otherwise of the variable for all signals. */
  const nameOf = (end: string) => (env[`OTEL_EXPORTER_OTLP_METRICS_${end}`] ? `METRICS_${end}` : end)
  const readOne = <T>(name: string, parse: (text: string) => T | undefined, accepted: string): T | undefined => {
    const text = env[name]
    if (!text) return undefined
    const value = parse(text)
    if (value === undefined) warnings.push(`${name} is left aside: ${quote(text)} is not ${accepted}`)
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

/**
 * Reads the receiver's URL from the environment. The variable for metrics is used unchanged; to the variable for all
 * signals, the path /v1/metrics is appended.
 *
 * @throws OPTION_INVALID
 */
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

/** Parses the URL of an OTLP receiver. @throws OPTION_INVALID */
export function readUrl(text: string): URL {
  const url = checkUrl(text, '--otlp')
  // a URL without a path gets the default path of OTLP receivers
  if (url.pathname === '/') url.pathname = '/v1/metrics'
  return url
}

function checkUrl(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.username || url?.password)
    throw fail('OPTION_INVALID', {
      name,
      // the error leaves out the URL's path and query, which may contain a key
      value: `${url.protocol}//…@${url.host}`,
      why: name === '--otlp' ? 'keys on a command line can be read by all users' : 'an address cannot contain a key',
      accepted: `the key in ${anyHeaders}, such as authorization=Basic%20…`,
    })
  if (url && /^https?:$/.test(url.protocol)) return url
  throw fail('OPTION_INVALID', {
    name,
    value: text,
    why: 'not an http or https URL',
    accepted: 'a URL such as http://127.0.0.1:4318',
  })
}

/**
 * Parses HTTP headers from `name=value,…` with percent-encoding, as OpenTelemetry's exporters do. They come from
 * environment variables, because other users can see a command line.
 *
 * @throws OPTION_INVALID
 */
export function parseHeaders(text: string, variable = anyHeaders): [string, string][] {
  return wordsOf(text).map((word) => {
    const [name, value] = parsePair(word) ?? []
    if (name !== undefined && value !== undefined && /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t -~]*$/.test(value))
      return [name, value]
    throw fail('OPTION_INVALID', {
      name: variable,
      // the error leaves out the header's value, which may be a key
      value: `${/^\s*([\w-]+)\s*=/.exec(word)?.[1] ?? ''}…`,
      accepted: 'name=value,name=value, percent-encoded',
    })
  })
}

/** Parses the resource attributes `name=value,…`. Returns undefined if one of them is invalid. */
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
    // decodeURIComponent throws if a percent sign is not followed by two hexadecimal digits
    return at < 0 ? undefined : [word.slice(0, at).trim(), decodeURIComponent(word.slice(at + 1).trim())]
  } catch {
    return undefined
  }
}
