// SPDX-License-Identifier: Apache-2.0
// Metrics as the JSON that OTLP/HTTP takes (opentelemetry-proto, metrics/v1): pure.
import type { Family, Point } from './metrics.ts'

/** Where it comes from. */
export interface Origin {
  host: string
  version: string
  /** Milliseconds since 1970: when this process first looked. */
  started: number
}

/** One export request. `time` is in milliseconds since 1970. */
export function makeOtlp(families: readonly Family[], time: number, { host, version, started }: Origin): object {
  const attributes = (labels: { [name: string]: string }) =>
    Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } }))
  const points = (all: readonly Point[], counter: boolean) =>
    all.map(({ labels, value }) => ({
      attributes: attributes(labels),
      timeUnixNano: nanoseconds(time),
      ...(counter && { startTimeUnixNano: nanoseconds(started) }),
      asDouble: value,
    }))
  const metrics = families.map(({ name, kind, help, points: all }) => ({
    name,
    description: help,
    unit: unitOf(name),
    ...(kind === 'counter'
      ? { sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: points(all, true) } }
      : { gauge: { dataPoints: points(all, false) } }),
  }))
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes({ 'service.name': 'hutch', 'host.name': host }) },
        scopeMetrics: [{ scope: { name: 'hutch', version }, metrics }],
      },
    ],
  }
}

/** As UCUM has them. */
function unitOf(name: string): string {
  if (name.includes('_seconds')) return 's'
  return /_bytes|_rss$|_cache$|_swap$/.test(name) ? 'By' : '1'
}

/** 64-bit numbers are strings in protobuf's JSON. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`
}
