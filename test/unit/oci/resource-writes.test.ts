// SPDX-License-Identifier: Apache-2.0
// The kernel files and values that linux.resources mean, in both versions of control groups.
import { describe, expect, test } from 'vitest'
import type { LinuxResources } from '../../../src/oci/resources/linux-resources.ts'
import { type ControllerPlaces, convertResources } from '../../../src/oci/resources/resource-writes.ts'

const controllers = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma']
const v2: ControllerPlaces = { v1: [], v2: controllers }
const v1: ControllerPlaces = {
  v1: ['cpuset', 'cpu', 'cpuacct', 'blkio', 'memory', 'hugetlb', 'pids', 'rdma', 'net_cls', 'net_prio'],
  v2: undefined,
}
const hybrid: ControllerPlaces = { v1: ['cpu', 'memory'], v2: ['hugetlb'] }

/** Returns the writes as lines such as `memory: memory.limit_in_bytes=1`; the v2 tree has no name in front. */
function lines(resources: LinuxResources, places: ControllerPlaces, missing: readonly string[] = []): string[] {
  const facts = {
    pageSizes: ['2MB', '1GB'],
    hasFile: (_controller: string, file: string) => !missing.includes(file),
  }
  return [...convertResources(resources, places, facts)].flatMap(([controller, writes]) =>
    writes.map(({ file, value }) => `${controller ? `${controller}: ` : ''}${file}=${value}`),
  )
}

const bfq = ['io.bfq.weight']
const noSwap = ['memory.swap.max', 'memory.memsw.limit_in_bytes']

describe('v2', () => {
  test.each<[LinuxResources, string[], string[]?]>([
    [{}, []],
    // shares
    [{ cpu: { shares: 0 } }, []],
    [{ cpu: { shares: 1 } }, ['cpu.weight=1']],
    [{ cpu: { shares: 2 } }, ['cpu.weight=1']],
    [{ cpu: { shares: 3 } }, ['cpu.weight=2']],
    [{ cpu: { shares: 10 } }, ['cpu.weight=4']],
    [{ cpu: { shares: 512 } }, ['cpu.weight=59']],
    [{ cpu: { shares: 1024 } }, ['cpu.weight=100']],
    [{ cpu: { shares: 2048 } }, ['cpu.weight=174']],
    [{ cpu: { shares: 262_144 } }, ['cpu.weight=10000']],
    [{ cpu: { shares: 2n ** 64n - 1n } }, ['cpu.weight=10000']],
    [{ cpu: { shares: 1024 }, unified: { 'cpu.weight': '7' } }, ['cpu.weight=100', 'cpu.weight=7']],
    // bandwidth
    [{ cpu: { quota: 5000, period: 20_000 } }, ['cpu.max=5000 20000']],
    [{ cpu: { quota: 5000 } }, ['cpu.max=5000 100000']],
    [{ cpu: { period: 20_000 } }, ['cpu.max=max 20000']],
    [{ cpu: { quota: -1 } }, ['cpu.max=max 100000']],
    [{ cpu: { quota: 0, period: 0 } }, []],
    [{ cpu: { quota: 50_000, burst: 10_000 } }, ['cpu.max=50000 100000', 'cpu.max.burst=10000']],
    [{ cpu: { idle: 1, shares: 1024 } }, ['cpu.weight=100', 'cpu.idle=1']],
    [{ cpu: { idle: 0, shares: 1024 } }, ['cpu.idle=0', 'cpu.weight=100']],
    [{ cpu: { cpus: '0-1', mems: '0' } }, ['cpuset.cpus=0-1', 'cpuset.mems=0']],
    [{ cpu: { cpus: '', mems: '' } }, []],
    // memory
    [{ memory: { limit: 0, reservation: 0, swap: 0 } }, []],
    [{ memory: { limit: 1000 } }, ['memory.max=1000']],
    [{ memory: { limit: -1 } }, ['memory.swap.max=max', 'memory.max=max']],
    [{ memory: { limit: -1 } }, ['memory.max=max'], noSwap],
    [{ memory: { limit: -1, swap: -1 } }, ['memory.swap.max=max', 'memory.max=max']],
    [{ memory: { swap: -1 } }, ['memory.swap.max=max']],
    [{ memory: { limit: 1000, swap: 3000 } }, ['memory.swap.max=2000', 'memory.max=1000']],
    [{ memory: { limit: 1000, swap: 3000 } }, ['memory.swap.max=2000', 'memory.max=1000'], noSwap],
    [{ memory: { limit: 1000, swap: 1000 } }, ['memory.swap.max=0', 'memory.max=1000']],
    [{ memory: { limit: 1000, swap: 1000 } }, ['memory.max=1000'], noSwap],
    [{ memory: { reservation: 500 } }, ['memory.low=500']],
    [{ memory: { reservation: -1 } }, ['memory.low=max']],
    [{ memory: { limit: 2n ** 63n - 1n } }, ['memory.max=9223372036854775807']],
    [{ memory: { kernel: 1, kernelTCP: 1, swappiness: 60, disableOOMKiller: true, useHierarchy: true } }, []],
    // tasks
    [{ pids: {} }, []],
    [{ pids: { limit: -1 } }, ['pids.max=max']],
    [{ pids: { limit: 0 } }, ['pids.max=0']],
    [{ pids: { limit: 20 } }, ['pids.max=20']],
    // block devices
    [{ blockIO: { weight: 100 } }, ['io.bfq.weight=100']],
    [{ blockIO: { weight: 10 } }, ['io.weight=1'], bfq],
    [{ blockIO: { weight: 100 } }, ['io.weight=910'], bfq],
    [{ blockIO: { weight: 1000 } }, ['io.weight=10000'], bfq],
    [{ blockIO: { weight: 0 } }, []],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 16, weight: 300 }] } }, ['io.bfq.weight=8:16 300']],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 16, weight: 10 }] } }, ['io.weight=8:16 1'], bfq],
    [
      {
        blockIO: {
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 2n ** 40n }],
          throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 2 }],
          throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 3 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }],
        },
      },
      ['io.max=8:0 rbps=1099511627776', 'io.max=8:0 wbps=2', 'io.max=8:0 riops=3', 'io.max=8:0 wiops=max'],
    ],
    // huge pages and RDMA
    [
      { hugepageLimits: [{ pageSize: '2MB', limit: 2n ** 64n - 1n }] },
      ['hugetlb.2MB.max=18446744073709551615', 'hugetlb.2MB.rsvd.max=18446744073709551615'],
    ],
    [{ hugepageLimits: [{ pageSize: '1GB', limit: 0 }] }, ['hugetlb.1GB.max=0'], ['hugetlb.1GB.rsvd.max']],
    [{ rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } } }, ['rdma.max=mlx5_1 hca_handle=3 hca_object=10000']],
    [{ rdma: { mlx4_0: { hcaObjects: 0 }, mlx5_1: {} } }, ['rdma.max=mlx4_0 hca_object=0']],
    // any file
    [{ unified: { 'memory.high': '1M', 'cgroup.max.depth': '2' } }, ['memory.high=1M', 'cgroup.max.depth=2']],
    [{ network: { classID: 0, priorities: [] } }, []],
  ])('%o', (resources, expected, missing) => {
    expect(lines(resources, v2, missing)).toEqual(expected)
  })

  test.each<[LinuxResources, RegExp]>([
    [{ cpu: { realtimeRuntime: 1 } }, /realtimeRuntime: cgroup v2 does not limit realtime tasks/],
    [{ cpu: { realtimePeriod: 1 } }, /realtimePeriod/],
    [{ memory: { swap: 1 } }, /unable to set swap limit without memory limit/],
    [{ memory: { limit: -1, swap: 1 } }, /unable to set swap limit without memory limit/],
    [{ memory: { limit: 2, swap: 1 } }, /memory\+swap limit should be >= memory limit/],
    [{ memory: { limit: -2 } }, /-2 for linux.resources.memory.limit/],
    [{ memory: { limit: 1.5 } }, /a whole number/],
    [{ blockIO: { leafWeight: 1 } }, /weights of leaf groups/],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0, leafWeight: 1 }] } }, /weights of leaf groups/],
    [{ hugepageLimits: [{ pageSize: '4MB', limit: 1 }] }, /give a size of this kernel: 2MB, 1GB/],
    [{ hugepageLimits: [{ pageSize: '../../x', limit: 1 }] }, /give a size of this kernel/],
    [{ rdma: { 'a b': { hcaHandles: 1 } } }, /the name of an RDMA device/],
    [{ network: { classID: 1 } }, /net_cls/],
    [{ network: { priorities: [{ name: 'eth0', priority: 1 }] } }, /net_prio/],
    [{ unified: { '../memory.max': '1' } }, /the name of a file in a v2 group/],
    [{ unified: { 'a/memory.max': '1' } }, /the name of a file in a v2 group/],
    [{ unified: { memory: '1' } }, /the name of a file in a v2 group/],
    [{ unified: { 'perf.max': '1' } }, /unified\["perf.max"\]: this host has no perf controller/],
  ])('%o is refused', (resources, message) => {
    expect(() => lines(resources, v2)).toThrow(message)
  })
})

describe('v1', () => {
  test.each<[LinuxResources, string[], string[]?]>([
    [{ cpu: { shares: 512 } }, ['cpu: cpu.shares=512']],
    [{ cpu: { quota: 5000, period: 20_000 } }, ['cpu: cpu.cfs_period_us=20000', 'cpu: cpu.cfs_quota_us=5000']],
    [{ cpu: { quota: -5 } }, ['cpu: cpu.cfs_quota_us=-1']],
    [{ cpu: { quota: 50_000, burst: 1 } }, ['cpu: cpu.cfs_quota_us=50000', 'cpu: cpu.cfs_burst_us=1']],
    [{ cpu: { realtimePeriod: 2, realtimeRuntime: 1 } }, ['cpu: cpu.rt_period_us=2', 'cpu: cpu.rt_runtime_us=1']],
    [{ cpu: { idle: 1, shares: 2 } }, ['cpu: cpu.shares=2', 'cpu: cpu.idle=1']],
    [{ cpu: { cpus: '1' } }, ['cpuset: cpuset.cpus=1']],
    [{ memory: { limit: 1000 } }, ['memory: memory.limit_in_bytes=1000']],
    [
      { memory: { limit: 1000, swap: 3000 } },
      ['memory: memory.limit_in_bytes=1000', 'memory: memory.memsw.limit_in_bytes=3000'],
    ],
    [{ memory: { limit: -1 } }, ['memory: memory.limit_in_bytes=-1', 'memory: memory.memsw.limit_in_bytes=-1']],
    [{ memory: { limit: -1 } }, ['memory: memory.limit_in_bytes=-1'], noSwap],
    [
      { memory: { reservation: 1, disableOOMKiller: true, swappiness: 0, kernel: 1, kernelTCP: 1 } },
      ['memory: memory.soft_limit_in_bytes=1', 'memory: memory.oom_control=1', 'memory: memory.swappiness=0'],
    ],
    [{ memory: { swappiness: 2n ** 64n - 1n, disableOOMKiller: false } }, []],
    [{ pids: { limit: 0 } }, ['pids: pids.max=0']],
    [{ blockIO: { weight: 10, leafWeight: 20 } }, ['blkio: blkio.weight=10', 'blkio: blkio.leaf_weight=20']],
    [
      { blockIO: { weight: 10, weightDevice: [{ major: 8, minor: 0, weight: 1, leafWeight: 2 }] } },
      ['blkio: blkio.bfq.weight=10', 'blkio: blkio.bfq.weight_device=8:0 1', 'blkio: blkio.leaf_weight_device=8:0 2'],
      ['blkio.weight'],
    ],
    [
      { blockIO: { throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }] } },
      ['blkio: blkio.throttle.write_iops_device=8:0 0'],
    ],
    [
      { hugepageLimits: [{ pageSize: '2MB', limit: 7 }] },
      ['hugetlb: hugetlb.2MB.limit_in_bytes=7', 'hugetlb: hugetlb.2MB.rsvd.limit_in_bytes=7'],
    ],
    [
      { network: { classID: 0x10_0001, priorities: [{ name: 'eth0', priority: 5 }] } },
      ['net_cls: net_cls.classid=1048577', 'net_prio: net_prio.ifpriomap=eth0 5'],
    ],
  ])('%o', (resources, expected, missing) => {
    expect(lines(resources, v1, missing)).toEqual(expected)
  })

  test.each<[LinuxResources, RegExp]>([
    [{ cpu: { shares: 1 } }, /the minimum allowed cpu-shares is 2/],
    [{ cpu: { shares: 262_145 } }, /the maximum allowed cpu-shares is 262144/],
    [{ memory: { swappiness: 101 } }, /a number from 0 to 100/],
    [{ memory: { limit: 2, swap: 1 } }, /memory\+swap limit/],
    [{ unified: { 'memory.high': '1' } }, /no memory controller in cgroup v1/],
    [{ network: { priorities: [{ name: 'a b', priority: 1 }] } }, /the name of an interface/],
  ])('%o is refused', (resources, message) => {
    expect(() => lines(resources, v1)).toThrow(message)
  })
})

test('on a hybrid host, each controller is written where it is', () => {
  const resources = { memory: { limit: 1 }, hugepageLimits: [{ pageSize: '2MB', limit: 2 }] }
  expect(lines(resources, hybrid)).toEqual([
    'memory: memory.limit_in_bytes=1',
    'hugetlb.2MB.max=2',
    'hugetlb.2MB.rsvd.max=2',
  ])
  expect(() => lines({ pids: { limit: 1 } }, hybrid)).toThrow(
    /cannot set linux.resources.pids.limit: this host has no pids controller/,
  )
})
