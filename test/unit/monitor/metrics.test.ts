// SPDX-License-Identifier: Apache-2.0
// Snapshots as metrics, and metrics as text and JSON.
import { expect, test } from 'vitest'
import { parseFlags } from '../../../src/cli/flags.ts'
import { command, parseAddress } from '../../../src/cli/node/metrics.ts'
import { nameContainer } from '../../../src/monitor/container-name.ts'
import { addMachine, makeMetrics } from '../../../src/monitor/exporter/metrics.ts'
import { parseHeaders, readTarget, readUrl } from '../../../src/monitor/exporter/otel-settings.ts'
import { decodePartial, decodeStatus, encodeOtlp } from '../../../src/monitor/exporter/otlp.ts'
import { chooseFormat, formatMetrics, takesGzip } from '../../../src/monitor/exporter/prometheus-text.ts'
import { encodeNumber, encodeSubmessage, encodeText } from '../../../src/monitor/exporter/protobuf.ts'
import { backOff } from '../../../src/monitor/exporter/push.ts'
import { emptyDraft, makeSample } from '../../../src/monitor/raw-sample.ts'
import type { GroupSample, Snapshot } from '../../../src/monitor/sample.ts'

const snapshot = (groups: { [path: string]: Partial<GroupSample> }): Snapshot => ({
  time: 1_700_000_000_000,
  groups: new Map(Object.entries(groups).map(([path, values]) => [path, { ...makeSample(emptyDraft()), ...values }])),
})

const circumstances = { tookMs: 12, machine: { cpus: 2, memory: 4096 } }

test('text for Prometheus: only what is known, in base units', () => {
  const families = makeMetrics(
    snapshot({
      '/a': { cpuUsec: 1_500_000, memory: 1000, memoryMax: 'max', pidsMax: 7, cpuMax: 0.5, frozen: false },
      '/b': { io: { '8:0': { readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 } } },
    }),
    { ...circumstances, nameOf: (device) => `/dev/of-${device}` },
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
    # HELP container_memory_usage_bytes Memory in use, including file cache.
    # TYPE container_memory_usage_bytes gauge
    container_memory_usage_bytes{id="/a"} 1000
    # HELP container_spec_memory_limit_bytes Memory limit; 0 means no limit.
    # TYPE container_spec_memory_limit_bytes gauge
    container_spec_memory_limit_bytes{id="/a"} 0
    # HELP container_threads_max Maximum number of tasks; 0 means no limit.
    # TYPE container_threads_max gauge
    container_threads_max{id="/a"} 7
    # HELP container_fs_reads_bytes_total Bytes read from block devices.
    # TYPE container_fs_reads_bytes_total counter
    container_fs_reads_bytes_total{id="/b",device="/dev/of-8:0"} 1
    # HELP container_fs_writes_bytes_total Bytes written to block devices.
    # TYPE container_fs_writes_bytes_total counter
    container_fs_writes_bytes_total{id="/b",device="/dev/of-8:0"} 2
    # HELP container_fs_reads_total Reads from block devices.
    # TYPE container_fs_reads_total counter
    container_fs_reads_total{id="/b",device="/dev/of-8:0"} 3
    # HELP container_fs_writes_total Writes to block devices.
    # TYPE container_fs_writes_total counter
    container_fs_writes_total{id="/b",device="/dev/of-8:0"} 4
    # HELP hutch_frozen Whether the tasks are frozen.
    # TYPE hutch_frozen gauge
    hutch_frozen{id="/a"} 0
    # HELP container_last_seen Time of the sample, in seconds since 1970.
    # TYPE container_last_seen gauge
    container_last_seen{id="/a"} 1700000000
    container_last_seen{id="/b"} 1700000000
    # HELP machine_cpu_cores Processors of the machine.
    # TYPE machine_cpu_cores gauge
    machine_cpu_cores 2
    # HELP machine_memory_bytes Memory of the machine.
    # TYPE machine_memory_bytes gauge
    machine_memory_bytes 4096
    # HELP hutch_groups Number of control groups.
    # TYPE hutch_groups gauge
    hutch_groups 2
    # HELP hutch_look_seconds Duration of the sample of all groups, in seconds.
    # TYPE hutch_look_seconds gauge
    hutch_look_seconds 0.012
    "
  `)
})

test('OpenMetrics names a counter without its ending, and ends', () => {
  const families = makeMetrics(snapshot({ '/a': { oomKills: 1 } }), circumstances)
  expect(formatMetrics(families, 'openMetrics')).toMatchInlineSnapshot(`
    "# HELP container_oom_events Processes killed by the OOM killer.
    # TYPE container_oom_events counter
    container_oom_events_total{id="/a"} 1
    # HELP container_last_seen Time of the sample, in seconds since 1970.
    # TYPE container_last_seen gauge
    container_last_seen{id="/a"} 1700000000
    # HELP machine_cpu_cores Processors of the machine.
    # TYPE machine_cpu_cores gauge
    machine_cpu_cores 2
    # HELP machine_memory_bytes Memory of the machine.
    # TYPE machine_memory_bytes gauge
    # UNIT machine_memory_bytes bytes
    machine_memory_bytes 4096
    # HELP hutch_groups Number of control groups.
    # TYPE hutch_groups gauge
    hutch_groups 1
    # HELP hutch_look_seconds Duration of the sample of all groups, in seconds.
    # TYPE hutch_look_seconds gauge
    # UNIT hutch_look_seconds seconds
    hutch_look_seconds 0.012
    # EOF
    "
  `)
})

test('a name can neither end its quotes nor its line', () => {
  const families = makeMetrics(snapshot({ '/a"} 1\nevil{x="\\': { pids: 1 } }), circumstances)
  const lines = formatMetrics(families, 'prometheus').split('\n')
  expect(lines.filter((line) => line.startsWith('container_threads'))).toEqual([
    'container_threads{id="/a\\"} 1\\nevil{x=\\"\\\\"} 1',
  ])
  expect(lines.some((line) => line.startsWith('evil'))).toBe(false)
})

/** Any message as [field, text, number or message]s; what is in neither is told as hex. */
function decode(bytes: Buffer, texts: readonly string[], path = ''): unknown[] {
  const fields: unknown[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const key = varint()
    const field = `${path}.${key >> 3}`
    if ((key & 7) === 0) fields.push([field, varint()])
    else if ((key & 7) === 1) {
      fields.push([field, field.endsWith('.4') ? bytes.readDoubleLE(at) : bytes.readBigUInt64LE(at)])
      at += 8
    } else {
      const length = varint()
      const inner = bytes.subarray(at, at + length)
      at += length
      fields.push(texts.includes(field) ? [field, inner.toString()] : decode(inner, texts, field))
    }
  }
  return fields
}

test('OTLP: counters are cumulative sums from the time that their group was made, the rest gauges', () => {
  const families = makeMetrics(snapshot({ '/a': { oomKills: 1, memory: 1000 } }), {
    ...circumstances,
    startOf: () => 1_600_000_000_000,
  }).filter(({ name }) => /oom|usage/.test(name))
  const body = encodeOtlp(families, 1_700_000_000_000, { host: 'box', version: '1' })
  const pair = (at: string) => [`${at}.1`, `${at}.2.1`]
  const point = (at: string) => pair(`${at}.1.7`)
  const metric = '.1.2.2'
  const texts = [...pair('.1.1.1'), '.1.2.1.1', '.1.2.1.2', `${metric}.1`, `${metric}.2`, `${metric}.3`]
  // every message by its fields, as metrics.proto numbers them
  expect(decode(body, [...texts, ...point(`${metric}.5`), ...point(`${metric}.7`)]).flat(9)).toEqual(
    [
      ['.1.1.1.1', 'service.name', '.1.1.1.2.1', 'hutch'],
      ['.1.1.1.1', 'service.instance.id', '.1.1.1.2.1', 'box'],
      ['.1.1.1.1', 'host.name', '.1.1.1.2.1', 'box'],
      ['.1.2.1.1', 'hutch', '.1.2.1.2', '1'],
      [
        `${metric}.1`,
        'container_memory_usage_bytes',
        `${metric}.2`,
        'Memory in use, including file cache.',
        `${metric}.3`,
        'By',
      ],
      [`${metric}.5.1.3`, 1_700_000_000_000_000_000n, `${metric}.5.1.4`, 1000],
      [`${metric}.5.1.7.1`, 'id', `${metric}.5.1.7.2.1`, '/a'],
      [
        `${metric}.1`,
        'container_oom_events_total',
        `${metric}.2`,
        'Processes killed by the OOM killer.',
        `${metric}.3`,
        '',
      ],
      [
        `${metric}.7.1.2`,
        1_600_000_000_000_000_000n,
        `${metric}.7.1.3`,
        1_700_000_000_000_000_000n,
        `${metric}.7.1.4`,
        1,
      ],
      [`${metric}.7.1.7.1`, 'id', `${metric}.7.1.7.2.1`, '/a'],
      [`${metric}.7.2`, 2, `${metric}.7.3`, 1],
    ].flat(),
  )
})

test('what a receiver of OTLP says is understood, and nonsense is not', () => {
  const partial = encodeSubmessage(1, [encodeNumber(1, 300), encodeText(2, 'too old')])
  expect(decodePartial(partial)).toEqual({ rejected: 300, why: 'too old' })
  for (const bytes of [Buffer.alloc(0), encodeSubmessage(1, []), Buffer.from('nonsense'), Buffer.alloc(20, 255)])
    expect(decodePartial(bytes)).toBe(undefined)
  expect(decodeStatus(Buffer.concat([encodeNumber(1, 3), encodeText(2, 'no')]))).toBe('no')
  expect(decodeStatus(partial.subarray(0, 5))).toBe('')
})

const id = 'c1d2'.repeat(16)
test.each([
  [`/docker/${id}`, 'c1d2c1d2c1d2'],
  [`/system.slice/docker-${id}.scope`, 'c1d2c1d2c1d2'],
  [`/machine.slice/libpod-${id}.scope`, 'c1d2c1d2c1d2'],
  [`/machine.slice/libpod-conmon-${id}.scope`, undefined],
  [`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`, 'c1d2c1d2c1d2'],
  [`/kubepods/burstable/pod1/${id}`, 'c1d2c1d2c1d2'],
  ['/lxc.payload.web', 'web'],
  ['/machine.slice/machine-my\\x2dvm.scope', 'my-vm'],
  ['/machine.slice/systemd-nspawn@web.service', 'web'],
  ['/hutch/web', 'web'],
  ['/hutch/web/worker', undefined],
  ['/user.slice/hutch-1-22-333-4', 'hutch-1-22-333-4'],
  ['/system.slice/ssh.service', undefined],
  ['/', undefined],
])('the container of %s is called %s', (path, name) => {
  expect(nameContainer(path)).toBe(name)
})

test('what is in a container has no name, so that sums over names count nothing twice', () => {
  const paths = ['/', '/hutch', '/hutch/web', '/hutch/web/hutch-1-2-3-4', '/hutch/web/hutch-1-2-3-4/a', '/hutch/web2']
  const families = makeMetrics(snapshot(Object.fromEntries(paths.map((path) => [path, { pids: 1 }]))), circumstances)
  const { points } = families.find(({ name }) => name === 'container_threads')!
  expect(points.map(({ labels }) => labels.name)).toEqual([undefined, undefined, 'web', undefined, undefined, 'web2'])
})

test('the root has the figures of the machine', () => {
  const meminfo = 'MemTotal:  8 kB\nMemFree:  3 kB\nInactive(file):  1 kB\n'
  const { groups } = addMachine(snapshot({ '/': {}, '/a': {} }), meminfo)
  expect(groups.get('/')).toMatchObject({ memory: 5120, workingSet: 4096, memoryMax: 8192 })
  expect(groups.get('/a')!.memory).toBe(undefined)
  expect(addMachine(snapshot({ '/': {} }), undefined).groups.get('/')!.memory).toBe(undefined)
})

const prometheus2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const prometheusProtobuf = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,${prometheus2.replaceAll('=1.0.0', '=1.0.0;q=0.6')}`
test.each([
  [undefined, 'prometheus'],
  ['*/*', 'prometheus'],
  [prometheus2, 'openMetrics'],
  [prometheusProtobuf, 'openMetrics'],
  ['application/openmetrics-text', 'openMetrics'],
  ['Application/OpenMetrics-Text; Version="1.0.0"', 'openMetrics'],
  ['application/openmetrics-text;version=2.0.0,text/plain;q=0.1', 'prometheus'],
  ['application/openmetrics-text;q=0.1,text/plain;q=0.9', 'prometheus'],
  ['application/openmetrics-text;q=0', 'prometheus'],
  ['application/openmetrics-text;q=x,,;', 'prometheus'],
] as const)('to Accept: %s it answers as %s', (accept, format) => {
  expect(chooseFormat(accept)).toBe(format)
})

test('gzip is for who takes it', () => {
  for (const taken of ['gzip', 'deflate, GZIP;q=0.5']) expect(takesGzip(taken)).toBe(true)
  for (const other of [undefined, '', 'identity', 'gzip;q=0', 'x-gzip-not']) expect(takesGzip(other)).toBe(false)
})

test.each([
  ['--listen', ['--once', '--listen', '127.0.0.1:0']],
  ['--interval', ['--once', '--interval', '1s', '--otlp', 'http://127.0.0.1:1']],
  ['--interval', ['--interval', '1s']],
  ['--open-metrics', ['--open-metrics']],
])('%s is refused where it would do nothing: %s', async (name, args) => {
  await expect((async () => command.main(parseFlags(args, command.flags)))()).rejects.toMatchObject({
    code: 'OPTION_CONFLICT',
    message: expect.stringContaining(name),
  })
})

test('a place to push to: a receiver has its path, and a key does not belong into it', () => {
  expect(readUrl('http://a:1').href).toBe('http://a:1/v1/metrics')
  expect(readUrl('https://a/other/path').href).toBe('https://a/other/path')
  expect(() => readUrl('a:1')).toThrow(/not an http or https URL/)
  expect(() => readUrl('http://me:secret@a:1')).toThrow(/^(?![\s\S]*secret)[\s\S]*OTEL_EXPORTER_OTLP_HEADERS/)
})

test('where and how to push comes from the environment as OpenTelemetry has it', () => {
  const target = readTarget('env', {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:1/base/',
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: '',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=1',
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'b=2',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'none',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=x,zone=a%2Cb%20=, host.name = y',
    OTEL_SERVICE_NAME: 'shop, "süd"',
    OTEL_METRIC_EXPORT_INTERVAL: '500',
  })
  expect({ ...target, url: target!.url.href }).toEqual({
    url: 'http://a:1/base/v1/metrics',
    headers: [['b', '2']],
    timeoutMs: 2500,
    gzip: false,
    attributes: { 'service.name': 'shop, "süd"', zone: 'a,b =', 'host.name': 'y' },
    intervalMs: 500,
    warnings: [],
  })
  const asItIs = { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://a:1/', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b:1' }
  expect(readTarget('env', asItIs)!.url.href).toBe('http://a:1/')
  // a place on the command line is not where the environment says
  expect(readTarget('http://c:1', asItIs)!.url.href).toBe('http://c:1/v1/metrics')
  expect(readTarget(undefined, asItIs)).toBeUndefined()
})

test('a variable that is not understood is told by its name and left aside; a place that is none is refused', () => {
  const { warnings, ...left } = readTarget('http://a:1', {
    OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '10s',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd\x1b[2J',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_RESOURCE_ATTRIBUTES: 'zone=a,rack=%zz',
    OTEL_METRIC_EXPORT_INTERVAL: '0',
  })!
  expect(left).toMatchObject({ timeoutMs: 10_000, gzip: true, attributes: {}, intervalMs: undefined })
  expect(warnings).toEqual([
    'OTEL_EXPORTER_OTLP_COMPRESSION is left aside: "zstd\\x1b[2J" is not gzip or none',
    'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT is left aside: 10s is not a number of milliseconds, 100 at least',
    'OTEL_EXPORTER_OTLP_PROTOCOL is left aside: grpc is not http/protobuf, the protocol of hutch',
    'OTEL_RESOURCE_ATTRIBUTES is left aside: "zone=a,rack=%zz" is not name=value,name=value, percent-encoded',
    'OTEL_METRIC_EXPORT_INTERVAL is left aside: 0 is not a number of milliseconds, 100 at least',
  ])
  expect(() => readTarget('env', {})).toThrow(/neither OTEL_EXPORTER_OTLP_METRICS_ENDPOINT nor/)
  expect(() => readTarget('env', { OTEL_EXPORTER_OTLP_ENDPOINT: 'a:1' })).toThrow(/OTEL_EXPORTER_OTLP_ENDPOINT/)
  const key = { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://me:secret@a' }
  expect(() => readTarget('env', key)).toThrow(/^(?![\s\S]*secret)[\s\S]*OTEL_EXPORTER_OTLP_METRICS_ENDPOINT/)
})

test('the wait for a receiver in trouble doubles, differs, and has an end', () => {
  expect([1, 2, 3, 7, 2000].map((failures) => backOff(failures, 0))).toEqual([1000, 2000, 4000, 60_000, 60_000])
  expect(backOff(1, 1)).toBe(500)
  expect(backOff(2000, 1)).toBe(30_000)
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
