// SPDX-License-Identifier: Apache-2.0
// Snapshots as metrics, and metrics as text and JSON.
import { expect, test } from 'vitest'
import { parseAddress, parseHeaders } from '../../src/cli/metrics.ts'
import { emptyDraft, makeSample } from '../../src/survey/draft.ts'
import { formatMetrics } from '../../src/survey/exposition.ts'
import { makeMetrics } from '../../src/survey/metrics.ts'
import { makeOtlp } from '../../src/survey/otlp.ts'
import type { GroupSample, Snapshot } from '../../src/survey/sample.ts'

const snapshot = (groups: { [path: string]: Partial<GroupSample> }): Snapshot => ({
  time: 1_700_000_000_000,
  groups: new Map(Object.entries(groups).map(([path, values]) => [path, { ...makeSample(emptyDraft()), ...values }])),
})

test('text for Prometheus: only what is known, in base units', () => {
  const families = makeMetrics(
    snapshot({
      '/a': { cpuUsec: 1_500_000, memory: 1000, memoryMax: 'max', pidsMax: 7, cpuMax: 0.5, frozen: false },
      '/b': { io: { '8:0': { readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 } } },
    }),
    12,
  )
  expect(formatMetrics(families, 'prometheus')).toMatchInlineSnapshot(`
    "# HELP container_cpu_usage_seconds_total CPU time used.
    # TYPE container_cpu_usage_seconds_total counter
    container_cpu_usage_seconds_total{id="/a",cpu="total"} 1.5
    # HELP container_spec_cpu_quota CPU time in microseconds that may be used in container_spec_cpu_period; absent without a limit.
    # TYPE container_spec_cpu_quota gauge
    container_spec_cpu_quota{id="/a"} 50000
    # HELP container_spec_cpu_period Microseconds that container_spec_cpu_quota is for.
    # TYPE container_spec_cpu_period gauge
    container_spec_cpu_period{id="/a"} 100000
    # HELP container_memory_usage_bytes Memory in use, file cache counted.
    # TYPE container_memory_usage_bytes gauge
    container_memory_usage_bytes{id="/a"} 1000
    # HELP container_spec_memory_limit_bytes Memory limit; 0 is none.
    # TYPE container_spec_memory_limit_bytes gauge
    container_spec_memory_limit_bytes{id="/a"} 0
    # HELP container_threads_max Most tasks allowed; 0 is no limit.
    # TYPE container_threads_max gauge
    container_threads_max{id="/a"} 7
    # HELP container_fs_reads_bytes_total Bytes read from block devices.
    # TYPE container_fs_reads_bytes_total counter
    container_fs_reads_bytes_total{id="/b",device="8:0"} 1
    # HELP container_fs_writes_bytes_total Bytes written to block devices.
    # TYPE container_fs_writes_bytes_total counter
    container_fs_writes_bytes_total{id="/b",device="8:0"} 2
    # HELP container_fs_reads_total Reads from block devices.
    # TYPE container_fs_reads_total counter
    container_fs_reads_total{id="/b",device="8:0"} 3
    # HELP container_fs_writes_total Writes to block devices.
    # TYPE container_fs_writes_total counter
    container_fs_writes_total{id="/b",device="8:0"} 4
    # HELP hutch_frozen Whether the tasks are stopped by the freezer.
    # TYPE hutch_frozen gauge
    hutch_frozen{id="/a"} 0
    # HELP hutch_groups Control groups there are.
    # TYPE hutch_groups gauge
    hutch_groups 2
    # HELP hutch_look_seconds How long the look at all of them took.
    # TYPE hutch_look_seconds gauge
    hutch_look_seconds 0.012
    "
  `)
})

test('OpenMetrics names a counter without its ending, and ends', () => {
  const families = makeMetrics(snapshot({ '/a': { oomKills: 1 } }), 12)
  expect(formatMetrics(families, 'openMetrics')).toMatchInlineSnapshot(`
    "# HELP container_oom_events Processes killed for want of memory.
    # TYPE container_oom_events counter
    container_oom_events_total{id="/a"} 1
    # HELP hutch_groups Control groups there are.
    # TYPE hutch_groups gauge
    hutch_groups 1
    # HELP hutch_look_seconds How long the look at all of them took.
    # TYPE hutch_look_seconds gauge
    hutch_look_seconds 0.012
    # EOF
    "
  `)
})

test('a name can neither end its quotes nor its line', () => {
  const families = makeMetrics(snapshot({ '/a"} 1\nevil{x="\\': { pids: 1 } }), 12)
  const lines = formatMetrics(families, 'prometheus').split('\n')
  expect(lines.filter((line) => line.startsWith('container_threads'))).toEqual([
    'container_threads{id="/a\\"} 1\\nevil{x=\\"\\\\"} 1',
  ])
  expect(lines.some((line) => line.startsWith('evil'))).toBe(false)
})

test('OTLP: counters are cumulative sums, the rest gauges', () => {
  const families = makeMetrics(snapshot({ '/a': { oomKills: 1, memory: 1000 } }), 12)
  const body = makeOtlp(families, 1_700_000_000_000, { host: 'box', version: '1', started: 1_600_000_000_000 })
  const [{ resource, scopeMetrics }] = (
    body as { resourceMetrics: [{ resource: object; scopeMetrics: [{ metrics: { name: string }[] }] }] }
  ).resourceMetrics
  expect(resource).toEqual({
    attributes: [
      { key: 'service.name', value: { stringValue: 'hutch' } },
      { key: 'host.name', value: { stringValue: 'box' } },
    ],
  })
  const attributes = [{ key: 'id', value: { stringValue: '/a' } }]
  const find = (name: string) => scopeMetrics[0].metrics.find((metric) => metric.name === name)
  expect(find('container_memory_usage_bytes')).toMatchObject({
    unit: 'By',
    gauge: { dataPoints: [{ attributes, timeUnixNano: '1700000000000000000', asDouble: 1000 }] },
  })
  expect(find('container_oom_events_total')).toMatchObject({
    unit: '1',
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{ startTimeUnixNano: '1600000000000000000', asDouble: 1 }],
    },
  })
})

test.each([
  ['127.0.0.1:9753', ['127.0.0.1', 9753]],
  ['[::1]:0', ['::1', 0]],
  [':80', ['::', 80]],
  ['localhost:1', ['localhost', 1]],
] as const)('%s is an address', (text, address) => {
  expect(parseAddress(text)).toEqual(address)
})

test.each(['', '9753', '127.0.0.1', '::1:80', 'a:65536', 'a:-1', 'a b:1', '[::1]'])('%s is none', (text) => {
  expect(() => parseAddress(text)).toThrow(/for --listen/)
})

test('headers for a push come from the environment, and what is wrong in them does not tell a key', () => {
  expect(parseHeaders('')).toEqual([])
  expect(parseHeaders('authorization=Bearer%20a%2Cb, x=1,')).toEqual([
    ['authorization', 'Bearer a,b'],
    ['x', '1'],
  ])
  for (const text of ['key', 'a b=secret', 'x=%zzsecret', 'x=a%0d%0asecret: 1'])
    expect(() => parseHeaders(text)).toThrow(/^(?![\s\S]*secret)[\s\S]*OTEL_EXPORTER_OTLP_HEADERS/)
})
