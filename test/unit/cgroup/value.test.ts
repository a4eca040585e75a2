// SPDX-License-Identifier: Apache-2.0
// Texts of kernel files as values.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CgroupVersion, catalogFiles, describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import type { FileWords } from '../../../src/cgroup/controllers/entry.ts'
import { formatValue, formatWrites, parseValue } from '../../../src/cgroup/value-read.ts'
import { HutchError } from '../../../src/errors/errors.ts'

const words = (file: string, version: CgroupVersion = 'v2') => describeFile(file, version)!
const all = (['v2', 'v1'] as CgroupVersion[]).flatMap((version) =>
  catalogFiles(version).map((name) => words(name.replace('<size>', '2MB'), version)),
)

test.each<[string, string, unknown, CgroupVersion?]>([
  ['memory.max', 'max\n', 'max'],
  ['memory.max', '52428800\n', 52428800],
  ['hugetlb.2MB.max', '9223372036854771712\n', 'max'],
  ['memory.limit_in_bytes', '9223372036854771712\n', 'max', 'v1'],
  ['cpu.cfs_quota_us', '-1\n', 'max', 'v1'],
  ['cpuacct.usage', '9223372036854775807\n', 2 ** 63, 'v1'],
  ['cpu.weight.nice', '-20\n', -20],
  ['cgroup.freeze', '1\n', true],
  ['cpu.max', 'max 100000\n', { quota: 'max', period: 100000 }],
  ['cpu.uclamp.min', '12.50\n', 12.5],
  ['cpuset.cpus', '\n', []],
  ['cpuset.cpus', '0-2,5\n', [0, 1, 2, 5]],
  ['cgroup.procs', '1\n22\n0\n', [1, 22, 0]],
  ['cgroup.procs', '', []],
  ['cgroup.controllers', 'cpu io memory\n', ['cpu', 'io', 'memory']],
  ['cpuacct.usage_percpu', '12 34 \n', [12, 34], 'v1'],
  [
    'cpuset.cpus.partition',
    'root invalid (Cpu list in cpuset.cpus not exclusive)\n',
    'root invalid (Cpu list in cpuset.cpus not exclusive)',
  ],
  ['cgroup.events', 'populated 1\nfrozen 0\n', { populated: 1, frozen: 0 }],
  ['memory.stat', 'hierarchical_memory_limit 9223372036854771712\n', { hierarchical_memory_limit: 'max' }, 'v1'],
  ['cpu.stat.local', '', {}],
  ['io.weight', 'default 100\n8:16 200\n', { default: 100, '8:16': 200 }],
  [
    'io.max',
    '8:0 rbps=max wbps=1048576 riops=max wiops=max\n',
    { '8:0': { rbps: 'max', wbps: 1048576, riops: 'max', wiops: 'max' } },
  ],
  [
    'io.stat',
    '7:0 7:1 8:0 rbytes=1 cost.vrate=99.50\n',
    { '7:0': {}, '7:1': {}, '8:0': { rbytes: 1, 'cost.vrate': 99.5 } },
  ],
  ['io.cost.qos', '8:0 enable=1 ctrl=auto min=50.00\n', { '8:0': { enable: 1, ctrl: 'auto', min: 50 } }],
  [
    'rdma.max',
    'rxe0 index=5 hca_handle=2 hca_object=max\nrxe0 index=6 hca_handle=1\n',
    { 'rxe0 index=5': { hca_handle: 2, hca_object: 'max' }, 'rxe0 index=6': { hca_handle: 1 } },
  ],
  ['dmem.max', 'drm/0000:03:00.0/vram0 1073741824\n', { 'drm/0000:03:00.0/vram0': 1073741824 }],
  ['hugetlb.2MB.numa_stat', 'total=4 N0=3 N1=1\n', { total: { total: 4, N0: 3, N1: 1 } }],
  ['memory.numa_stat', 'anon N0=1 N1=2\n', { anon: { N0: 1, N1: 2 } }],
  [
    'blkio.throttle.io_serviced',
    '8:0 Read 3\n8:0 Total 3\nTotal 3\n',
    { '8:0': { Read: 3, Total: 3 }, Total: { Total: 3 } },
    'v1',
  ],
  [
    'irq.pressure',
    'full avg10=0.10 avg60=0.00 avg300=0.00 total=7\n',
    { full: { avg10: 0.1, avg60: 0, avg300: 0, total: 7 } },
  ],
  ['devices.list', 'a *:* rwm\n', ['a *:* rwm'], 'v1'],
])('%s: %j is %j', (file, text, value, version) => expect(parseValue(words(file, version), text)).toEqual(value))

test.each<[string, string, CgroupVersion?]>([
  ['memory.max', 'lots'],
  ['memory.current', '-5'],
  ['cgroup.freeze', '2'],
  ['cpuset.cpus', '0-99999999'],
  ['cpuset.cpus', '0-999999,0-999999'],
  ['cpuset.cpus', '3-1'],
  ['cpu.max', '100'],
  ['memory.stat', 'anon'],
  ['io.stat', '=1'],
  ['io.stat', 'rbytes=1'],
  ['cpu.pressure', 'some avg10=1.2.3 avg60=0 avg300=0 total=0'],
])('%s: %j is not understood', (file, text, version) =>
  expect(() => parseValue(words(file, version), text)).toThrow(
    expect.objectContaining({ code: 'CGROUP_TEXT_UNKNOWN' }),
  ),
)

test.each<[string, unknown, string[], CgroupVersion?]>([
  ['memory.max', '50M', ['52428800']],
  ['memory.max', 0, ['0']],
  ['memory.max', 'max', ['max']],
  ['memory.limit_in_bytes', 'max', ['-1'], 'v1'],
  ['memory.limit_in_bytes', '-1', ['-1'], 'v1'],
  ['pids.max', 20, ['20']],
  ['pids.max', '020', ['20']],
  ['cpu.weight', '100', ['100']],
  ['cpu.weight.nice', -20, ['-20']],
  ['cpu.max', 0.5, ['50000 100000']],
  ['cpu.max', 'max', ['max']],
  ['cpu.max', '50000', ['50000']],
  ['cpu.max', '50000 100000', ['50000 100000']],
  ['cpu.max', { quota: 'max', period: 50000 }, ['max 50000']],
  ['cpu.max', { quota: 20000 }, ['20000 100000']],
  ['cpu.cfs_quota_us', 'max', ['-1'], 'v1'],
  ['cpu.uclamp.max', 98.76, ['98.76']],
  ['cpu.idle', true, ['1']],
  ['cgroup.kill', 1, ['1']],
  ['cgroup.freeze', 0, ['0']],
  ['cgroup.procs', [4, 5], ['4', '5']],
  ['cgroup.procs', '7', ['7']],
  ['cgroup.type', 'threaded', ['threaded']],
  ['cgroup.subtree_control', ['cpu', '-io'], ['+cpu -io']],
  ['cgroup.subtree_control', '+memory  pids', ['+memory +pids']],
  ['cpuset.cpus', [5, 0, 1, 2, 1], ['0-2,5']],
  ['cpuset.cpus', '0-3,6', ['0-3,6']],
  ['cpuset.cpus', [], ['\n']],
  ['cpuset.cpus.partition', 'isolated', ['isolated']],
  [
    'io.max',
    { '8:0': { rbps: 1e6, wbps: '1M', wiops: 'max' }, '8:16': { riops: 5 } },
    ['8:0 rbps=1000000 wbps=1048576 wiops=max', '8:16 riops=5'],
  ],
  ['io.max', '8:0  rbps=1M wiops=120', ['8:0 rbps=1048576 wiops=120']],
  ['io.weight', 200, ['default 200']],
  ['io.weight', '8:0 default', ['8:0 default']],
  ['io.weight', { default: 100, '8:16': 'default' }, ['default 100', '8:16 default']],
  ['io.latency', { '8:0': { target: 75000 } }, ['8:0 target=75000']],
  ['io.cost.qos', '8:0 enable=1 ctrl=user rpct=95.00', ['8:0 enable=1 ctrl=user rpct=95.00']],
  [
    'rdma.max',
    { 'mlx4_0 index=2': { hca_handle: 2, hca_object: 'max' } },
    ['mlx4_0 index=2 hca_handle=2 hca_object=max'],
  ],
  ['misc.max', 'sev 4', ['sev 4']],
  ['misc.max', { sgx_epc: '64M' }, ['sgx_epc 67108864']],
  ['dmem.max', 'drm/0000:03:00.0/vram0 1G', ['drm/0000:03:00.0/vram0 1073741824']],
  ['memory.reclaim', '50M swappiness=60', ['52428800 swappiness=60']],
  ['memory.pressure', 'some 150000 1000000', ['some 150000 1000000']],
  ['memory.oom_control', true, ['1'], 'v1'],
  ['blkio.throttle.read_bps_device', '8:0 1M', ['8:0 1048576'], 'v1'],
  ['blkio.throttle.read_bps_device', { '8:0': 'max' }, ['8:0 0'], 'v1'],
  ['net_cls.classid', '0x100001', ['1048577'], 'v1'],
  ['release_agent', '', ['\n'], 'v1'],
  ['devices.deny', 'c 1:3 rwm', ['c 1:3 rwm'], 'v1'],
  ['freezer.state', 'FROZEN', ['FROZEN'], 'v1'],
])('%s takes %j as %j', (file, value, texts, version) =>
  expect(formatWrites(words(file, version), value)).toEqual(texts),
)

test.each<[string, unknown, string]>([
  [
    'memory.max',
    'banana',
    'invalid value banana for memory.max: not a size\n  remedy: give bytes, such as 52428800 or 50M, or max',
  ],
  [
    'memory.max',
    '-1',
    'invalid value -1 for memory.max: not a size\n  remedy: give bytes, such as 52428800 or 50M, or max',
  ],
  ['cpu.weight', 20000, 'invalid value 20000 for cpu.weight: above 10000\n  remedy: give a number from 1 to 10000'],
  [
    'cpu.max',
    '10 100000',
    'invalid value "10 100000" for cpu.max: a quota must be at least 1000 µs\n  remedy: give a quota and a period in µs, such as 50000 100000 for half a CPU, or max',
  ],
  [
    'cpu.stat',
    '1',
    'invalid value 1 for cpu.stat: this file cannot be written\n  remedy: give the name of a writable file, such as memory.max',
  ],
  [
    'cpuset.cpus.partition',
    'rooot',
    'invalid value rooot for cpuset.cpus.partition: not one of these\n  remedy: give member, root or isolated',
  ],
  [
    'io.max',
    '8:0 rbsp=1',
    'invalid value "8:0 rbsp=1" for io.max: rbsp is not one of its keys; did you mean rbps?\n  remedy: give a device and limits, such as 8:0 rbps=1048576 wiops=120; max removes a limit',
  ],
  [
    'io.max',
    'sda rbps=1',
    'invalid value "sda rbps=1" for io.max: a device is named as 8:0\n  remedy: give a device and limits, such as 8:0 rbps=1048576 wiops=120; max removes a limit',
  ],
  [
    'pids.max',
    '5\n',
    'invalid value "5\\x0a" for pids.max: it contains a control character\n  remedy: give a number, such as 20, or max',
  ],
])('%s refuses %j', (file, value, message) =>
  expect(() => formatWrites(words(file), value)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', message })),
)

test('one text for one value: several devices are several writes', () => {
  expect(formatValue(words('memory.max'), '1K')).toBe('1024')
  expect(() => formatValue(words('io.weight'), { '8:0': 1, '8:16': 2 })).toThrow(
    'the kernel accepts one entry at a time',
  )
  expect(() => formatValue(words('cgroup.procs'), [])).toThrow('cgroup.procs: empty')
})

/** Text that looks like a kernel's, and text that does not. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'0123456789 \n=:,-.+max') }),
  fc
    .array(
      fc.constantFrom(
        'some',
        'avg10=0.00',
        'default',
        '8:0',
        'rbps=1',
        'max',
        '100',
        '\n',
        ' ',
        '0-3',
        '__proto__',
        'index=1',
        '=',
      ),
    )
    .map((parts) => parts.join(' ')),
)
const anyWords = fc.constantFrom(...all)
const anyValue = fc.oneof(anyText, fc.anything({ withBigInt: true, withNullPrototype: true }), fc.double())

test('no text makes the parser throw anything but a HutchError', () => {
  fc.assert(
    fc.property(anyWords, anyText, (file: FileWords, text) => {
      try {
        parseValue(file, text)
      } catch (error) {
        expect(error).toBeInstanceOf(HutchError)
      }
    }),
    { numRuns: 3000 },
  )
})

test('no value gets a second line or a NUL into a kernel file, or makes anything but a HutchError', () => {
  fc.assert(
    fc.property(anyWords, anyValue, (file: FileWords, value) => {
      try {
        for (const text of formatWrites(file, value)) if (text !== '\n') expect(text).toMatch(/^[^\0-\x1f\x7f]+$/)
      } catch (error) {
        if (!(error instanceof HutchError)) throw error
      }
    }),
    { numRuns: 5000 },
  )
})

const natural = fc.integer({ min: 0, max: 2 ** 40 })
const limit = fc.oneof(natural.map(String), fc.constant('max'))
const rate = fc.oneof(fc.integer({ min: 1, max: 2 ** 40 }).map(String), fc.constant('max'))
const device = fc.tuple(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 0, max: 99_999 })).map((id) => id.join(':'))
const lines = <T>(line: fc.Arbitrary<T>) =>
  fc.uniqueArray(fc.tuple(device, line), { selector: ([id]) => id, minLength: 1, maxLength: 4 })

test.each<[string, fc.Arbitrary<string>]>([
  ['memory.max', limit],
  ['pids.max', limit],
  ['cpu.max.burst', natural.map(String)],
  ['cpu.weight', fc.integer({ min: 1, max: 10_000 }).map(String)],
  ['cpu.weight.nice', fc.integer({ min: -20, max: 19 }).map(String)],
  ['cgroup.freeze', fc.constantFrom('0', '1')],
  [
    'cpu.max',
    fc
      .tuple(
        fc.oneof(fc.constant('max'), fc.integer({ min: 1000, max: 10 ** 9 })),
        fc.integer({ min: 1000, max: 10 ** 6 }),
      )
      .map((pair) => pair.join(' ')),
  ],
  [
    'cpuset.cpus',
    fc
      .uniqueArray(fc.integer({ min: 0, max: 4000 }), { minLength: 1 })
      .map((list) => formatValue(words('cpuset.cpus'), list)),
  ],
  [
    'io.weight',
    lines(fc.integer({ min: 1, max: 10_000 })).map((all) =>
      ['default 100', ...all.map((pair) => pair.join(' '))].join('\n'),
    ),
  ],
  [
    'io.max',
    lines(fc.tuple(rate, rate, rate, rate)).map((all) =>
      all.map(([id, [a, b, c, d]]) => `${id} rbps=${a} wbps=${b} riops=${c} wiops=${d}`).join('\n'),
    ),
  ],
  ['io.latency', lines(natural).map((all) => all.map(([id, target]) => `${id} target=${target}`).join('\n'))],
  ['rdma.max', fc.tuple(limit, limit).map(([a, b]) => `mlx4_0 hca_handle=${a} hca_object=${b}`)],
  ['dmem.max', limit.map((text) => `drm/0000:03:00.0/vram0 ${text}`)],
])('%s: what was read is written again as it was', (file, texts) => {
  fc.assert(
    fc.property(texts, (text) => {
      const value = parseValue(words(file), `${text}\n`)
      const written = formatWrites(words(file), value).join('\n')
      expect(parseValue(words(file), written)).toEqual(value)
      // device numbers are no array indexes, so their order stays
      expect(written).toBe(text)
    }),
  )
})
