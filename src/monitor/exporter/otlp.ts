// SPDX-License-Identifier: Apache-2.0
// Encodes metrics for OTLP/HTTP as protocol buffers, which every receiver accepts: opentelemetry-proto, metrics/v1. Pure.
import type { MetricFamily, Point } from './metrics.ts'
import { decodeFields, encodeDouble, encodeNumber, encodeSubmessage, encodeText, encodeTime } from './protobuf.ts'

/** Origin of the metrics: the host that sends them. */
export interface Origin {
  host: string
  version: string
  /** Attributes of the OpenTelemetry resource, which override those that hutch sets. */
  attributes?: { readonly [name: string]: string }
}

const cumulative = 2

/** Encodes metrics as an OTLP request (ExportMetricsServiceRequest). `time` is in milliseconds since 1970. */
export function encodeOtlp(
  families: readonly MetricFamily[],
  time: number,
  { host, version, attributes }: Origin,
): Buffer {
  // points of one group share their labels object, so encode it only once
  const known = new Map<Point['labels'], Buffer>()
  const attributesOf = (labels: Point['labels']) => {
    const before = known.get(labels)
    if (before) return before
    const bytes = encodeAttributes(labels, 7)
    known.set(labels, bytes)
    return bytes
  }
  const now = encodeTime(3, time)
  const encodePoint = ({ labels, value, start }: Point, counter: boolean) => {
    const fields = [now, encodeDouble(4, value), attributesOf(labels)]
    return encodeSubmessage(
      1,
      counter && start !== undefined ? [encodeTime(2, Math.min(start, time)), ...fields] : fields,
    )
  }
  const metrics = families.map(({ name, kind, help, points }) => {
    const counter = kind === 'counter'
    const data = points.map((point) => encodePoint(point, counter))
    return encodeSubmessage(2, [
      encodeText(1, name),
      encodeText(2, help),
      encodeText(3, unitOf(name)),
      counter
        ? encodeSubmessage(7, [...data, encodeNumber(2, cumulative), encodeNumber(3, 1)])
        : encodeSubmessage(5, data),
    ])
  })
  // Prometheus derives its labels `job` and `instance` from service.name and service.instance.id
  const resource = { 'service.name': 'hutch', 'service.instance.id': host, 'host.name': host, ...attributes }
  return encodeSubmessage(1, [
    encodeSubmessage(1, [encodeAttributes(resource, 1)]),
    encodeSubmessage(2, [encodeSubmessage(1, [encodeText(1, 'hutch'), encodeText(2, version)]), ...metrics]),
  ])
}

function encodeAttributes(labels: Point['labels'], field: number): Buffer {
  return Buffer.concat(
    Object.entries(labels).map(([key, text]) =>
      encodeSubmessage(field, [encodeText(1, key), encodeSubmessage(2, [encodeText(1, text)])]),
    ),
  )
}

/**
 * Returns a metric's unit in UCUM notation. Returns '' if the metric's name does not end in the unit, because a
 * receiver would append it to the name.
 */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 's'
  return /_bytes(_total)?$/.test(name) ? 'By' : ''
}

/**
 * Decodes an OTLP response (ExportMetricsServiceResponse). Returns how many points the receiver rejected, and why.
 * Returns undefined if it accepted all points.
 */
export function decodePartial(response: Buffer): { rejected: number; why: string } | undefined {
  const partial = decodeFields(response).get(1)
  if (!Buffer.isBuffer(partial)) return undefined
  const fields = decodeFields(partial)
  const [rejected, why] = [fields.get(1), fields.get(2)]
  if (typeof rejected !== 'number' || rejected === 0) return undefined
  return { rejected, why: Buffer.isBuffer(why) ? why.toString() : '' }
}

/** Returns the message of an OTLP error response, which is a google.rpc.Status. */
export function decodeStatus(response: Buffer): string {
  const message = decodeFields(response).get(2)
  return Buffer.isBuffer(message) ? message.toString() : ''
}
