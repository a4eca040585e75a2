// SPDX-License-Identifier: Apache-2.0
// Names and values of v2 on cgroup v1.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalogFiles, describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import { readLegacy } from '../../../src/cgroup/v1/read.ts'
import { sharesFromWeight, translateLimits, weightFromShares } from '../../../src/cgroup/v1/translate.ts'
import { parseValue } from '../../../src/cgroup/value-read.ts'
import { HutchError } from '../../../src/errors/errors.ts'

const translate = (file: string, value: string) =>
  translateLimits([{ file, value, origin: file }]).map((write) => `${write.controller}: ${write.file}=${write.value}`)

test.each<[string, string, string[]]>([
  [
    'io.max',
    '8:0 rbps=1M wiops=120',
    ['blkio: blkio.throttle.read_bps_device=8:0 1048576', 'blkio: blkio.throttle.write_iops_device=8:0 120'],
  ],
  ['io.max', '8:0 wbps=max', ['blkio: blkio.throttle.write_bps_device=8:0 0']],
  ['io.weight', '200', ['blkio: blkio.bfq.weight=200']],
  ['io.weight', 'default 200', ['blkio: blkio.bfq.weight=200']],
  ['io.bfq.weight', '8:0 200', ['blkio: blkio.bfq.weight_device=8:0 200']],
  ['io.weight', '8:0 default', ['blkio: blkio.bfq.weight_device=8:0 default']],
  ['io.prio.class', 'idle', ['blkio: blkio.prio.class=idle']],
  ['io.latency', 'max', []],
  ['hugetlb.2MB.max', '4194304', ['hugetlb: hugetlb.2MB.limit_in_bytes=4194304']],
  ['hugetlb.1GB.rsvd.max', 'max', ['hugetlb: hugetlb.1GB.rsvd.limit_in_bytes=-1']],
  ['cpuset.cpus', '0-1', ['cpuset: cpuset.cpus=0-1']],
  ['cpuset.mems', '0', ['cpuset: cpuset.mems=0']],
  ['cpuset.cpus.partition', 'member', []],
  ['cpu.max.burst', '1000', ['cpu: cpu.cfs_burst_us=1000']],
  ['rdma.max', 'mlx4_0 hca_handle=2', ['rdma: rdma.max=mlx4_0 hca_handle=2']],
  ['misc.max', 'sev 4', ['misc: misc.max=sev 4']],
  ['pids.max', 'max', ['pids: pids.max=max']],
])('%s %j on v1 is %j', (file, value, writes) => expect(translate(file, value)).toEqual(writes))

test.each<[string, string, string]>([
  ['io.latency', '8:0 target=100', 'cannot set io.latency: io.latency is a file of cgroup v2 only'],
  ['io.weight', '2000', 'cannot set io.weight: on cgroup v1 weights end at 1000'],
  ['memory.swap.high', '5', 'cannot set memory.swap.high: memory.swap.high is a file of cgroup v2 only'],
  [
    'cpuset.cpus.partition',
    'root',
    'cannot set cpuset.cpus.partition: cpuset.cpus.partition is a file of cgroup v2 only',
  ],
  ['io.max', '8:0 rbps=fast', 'invalid value "8:0 rbps=fast" for io.max: a limit is a number above 0, or max'],
  ['io.max', '8:0 rbps=0', 'invalid value "8:0 rbps=0" for io.max: a limit is a number above 0, or max'],
  ['io.max', '8:0 toString=1', 'invalid value "8:0 toString=1" for io.max: its keys are rbps, wbps, riops and wiops'],
  ['io.max', 'sda rbps=1', 'invalid value "sda rbps=1" for io.max: not a device with limits'],
  ['io.weight', 'heavy', 'invalid value heavy for io.weight: not a weight'],
])('%s %j on v1 is refused', (file, value, message) => expect(() => translate(file, value)).toThrow(message))

const reading = (file: string, texts: { [controllerAndFile: string]: string }) =>
  readLegacy(file, (controller, name) => texts[`${controller} ${name}`])

const noLimit = '9223372036854771712\n'

test.each<[string, { [file: string]: string }, string | undefined]>([
  ['memory.max', { 'memory memory.limit_in_bytes': noLimit }, 'max'],
  ['memory.max', { 'memory memory.limit_in_bytes': '4096\n' }, '4096'],
  ['memory.low', { 'memory memory.soft_limit_in_bytes': '7\n' }, '7'],
  ['memory.swap.max', { 'memory memory.limit_in_bytes': '100\n', 'memory memory.memsw.limit_in_bytes': '120\n' }, '20'],
  [
    'memory.swap.max',
    { 'memory memory.limit_in_bytes': '100\n', 'memory memory.memsw.limit_in_bytes': noLimit },
    'max',
  ],
  ['memory.swap.max', { 'memory memory.limit_in_bytes': '100\n' }, undefined],
  ['memory.swap.current', { 'memory memory.stat': 'swap 1\ntotal_swap 3\n' }, '3'],
  ['memory.swap.peak', { 'memory memory.memsw.max_usage_in_bytes': '3\n' }, undefined],
  [
    'memory.events',
    { 'memory memory.failcnt': '0\n', 'memory memory.oom_control': 'under_oom 0\noom_kill 2\n' },
    'oom_kill 2',
  ],
  ['memory.events', { 'memory memory.failcnt': '3\n', 'memory memory.memsw.failcnt': '1\n' }, 'max 4'],
  [
    'memory.stat',
    {
      'memory memory.stat': 'cache 1\nrss 2\ntotal_cache 10\ntotal_rss 20\npgfault 5\n',
      'memory memory.kmem.usage_in_bytes': '9\n',
    },
    'anon 20\nfile 10\nkernel 9\npgfault 5',
  ],
  ['cpu.max', { 'cpu cpu.cfs_quota_us': '-1\n', 'cpu cpu.cfs_period_us': '100000\n' }, 'max 100000'],
  ['cpu.max', { 'cpu cpu.cfs_quota_us': '50000\n', 'cpu cpu.cfs_period_us': '100000\n' }, '50000 100000'],
  ['cpu.weight', { 'cpu cpu.shares': '1024\n' }, '100'],
  [
    'cpu.stat',
    {
      'cpuacct cpuacct.usage': '5000000\n',
      'cpuacct cpuacct.stat': 'user 3\nsystem 1\n',
      'cpu cpu.stat': 'nr_periods 4\nnr_throttled 2\nthrottled_time 7000\n',
    },
    'usage_usec 5000\nuser_usec 30000\nsystem_usec 10000\nnr_periods 4\nnr_throttled 2\nthrottled_usec 7',
  ],
  ['cpuset.cpus.effective', { 'cpuset cpuset.effective_cpus': '0-1\n' }, '0-1'],
  [
    'io.max',
    {
      'blkio blkio.throttle.read_bps_device': '8:0 100\n8:16 7\n',
      'blkio blkio.throttle.write_iops_device': '8:0 5\n',
    },
    '8:0 rbps=100 wbps=max riops=max wiops=5\n8:16 rbps=7 wbps=max riops=max wiops=max',
  ],
  [
    'io.stat',
    {
      'blkio blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n',
      'blkio blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Write 0\nTotal 1\n',
    },
    '8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0',
  ],
  [
    'io.weight',
    { 'blkio blkio.bfq.weight': '100\n', 'blkio blkio.bfq.weight_device': 'default 100\n8:0 7\n' },
    'default 100\n8:0 7',
  ],
  ['io.weight', { 'blkio blkio.weight': '500\n' }, 'default 4950'],
  ['io.bfq.weight', { 'blkio blkio.weight': '500\n' }, undefined],
  ['cgroup.freeze', { 'freezer freezer.self_freezing': '0\n', 'freezer freezer.state': 'FROZEN\n' }, '0'],
  ['cgroup.freeze', { 'freezer freezer.state': 'FREEZING\n' }, '1'],
  ['cgroup.procs', { 'cgroup cgroup.procs': '4\n5\n' }, '4\n5'],
  ['cgroup.threads', { 'cgroup tasks': '4\n' }, '4'],
  ['pids.events', { 'pids pids.events': 'max 3\n' }, 'max 3'],
  ['rdma.current', { 'rdma rdma.current': 'mlx4_0 hca_handle=1 hca_object=2\n' }, 'mlx4_0 hca_handle=1 hca_object=2'],
  ['hugetlb.2MB.max', { 'hugetlb hugetlb.2MB.limit_in_bytes': noLimit }, 'max'],
  ['hugetlb.2MB.rsvd.current', { 'hugetlb hugetlb.2MB.rsvd.usage_in_bytes': '0\n' }, '0'],
  [
    'hugetlb.2MB.numa_stat',
    { 'hugetlb hugetlb.2MB.numa_stat': 'total=0 N0=0\nhierarchical_total=4 N0=4\n' },
    'total=4 N0=4',
  ],
  ['memory.oom.group', { 'memory memory.oom.group': '1\n' }, undefined],
  ['toString', { 'toStrin toString': '1' }, undefined],
])('%s from %j is %j', (file, texts, text) => expect(reading(file, texts)).toBe(text))

test('shares and weights are each other’s inverse, as near as whole numbers can be', () => {
  expect([2, 1024, 262_144].map(weightFromShares)).toEqual([1, 100, 10_000])
  for (let weight = 1; weight <= 10_000; weight++)
    expect(Math.abs(weightFromShares(sharesFromWeight(weight)) - weight)).toBeLessThanOrEqual(1)
})

test('whatever a v1 hierarchy holds, reading it as v2 throws nothing but a HutchError', () => {
  const files = catalogFiles('v2').map((name) => name.replace('<size>', '2MB'))
  const anyText = fc.option(
    fc.oneof(fc.string(), fc.constantFrom('0\n', 'max\n', '-1\n', '8:0 Read 1\n', 'rss 1\n', '99999999999999999999\n')),
    { nil: undefined },
  )
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.func(anyText), (file, read) => {
      const text = readLegacy(file, read)
      try {
        if (text !== undefined) parseValue(describeFile(file)!, text)
      } catch (error) {
        expect(error).toBeInstanceOf(HutchError)
      }
    }),
    { numRuns: 2000 },
  )
})
