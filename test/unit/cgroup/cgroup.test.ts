// SPDX-License-Identifier: Apache-2.0
// Paths and statistics of control groups.
import { expect, test } from 'vitest'
import { isFull, parseMemory } from '../../../src/cgroup/memory.ts'
import { parseFlat, parseNumber, parsePressure } from '../../../src/cgroup/stats.ts'
import { sharesFromWeight, translateLimits } from '../../../src/cgroup/v1/translate.ts'
import { parseHierarchies } from '../../../src/host/hierarchy.ts'
import { parseStartTime } from '../../../src/host/host.ts'

const translate = (limits: Record<string, string>) =>
  translateLimits(Object.entries(limits).map(([file, value]) => ({ file, value, origin: file }))).map(
    ({ controller, file, value }) => `${controller}: ${file}=${value}`,
  )

test.each([
  [{ 'memory.max': '100' }, ['memory: memory.limit_in_bytes=100']],
  [{ 'memory.max': 'max' }, ['memory: memory.limit_in_bytes=-1']],
  [
    { 'memory.swap.max': '20', 'memory.max': '100' },
    ['memory: memory.limit_in_bytes=100', 'memory: memory.memsw.limit_in_bytes=120'],
  ],
  [{ 'memory.swap.max': 'max' }, ['memory: memory.memsw.limit_in_bytes=-1']],
  [{ 'memory.low': '7' }, ['memory: memory.soft_limit_in_bytes=7']],
  [{ 'memory.high': 'max', 'memory.min': '0' }, []],
  [{ 'cpu.max': '50000 100000' }, ['cpu: cpu.cfs_period_us=100000', 'cpu: cpu.cfs_quota_us=50000']],
  [{ 'cpu.max': 'max 100000' }, ['cpu: cpu.cfs_period_us=100000', 'cpu: cpu.cfs_quota_us=-1']],
  [{ 'cpu.weight': '100' }, ['cpu: cpu.shares=1024']],
  [{ 'pids.max': '5' }, ['pids: pids.max=5']],
  [{ 'memory.swappiness': '1' }, ['memory: memory.swappiness=1']],
])('%j on v1 is %j', (limits, writes) => expect(translate(limits)).toEqual(writes))

test('weights and shares: the quadratic conversion, turned round', () => {
  expect([1, 100, 10_000].map(sharesFromWeight)).toEqual([2, 1024, 262_144])
  for (let weight = 2; weight <= 10_000; weight++)
    expect(sharesFromWeight(weight)).toBeGreaterThanOrEqual(sharesFromWeight(weight - 1))
})

test('flat files, numbers and pressure', () => {
  expect(parseFlat('low 0\nmax 3\noom_kill 12\nodd\nneg -1\n')).toEqual({ low: 0, max: 3, oom_kill: 12 })
  expect(['5\n', 'max\n', '', undefined].map(parseNumber)).toEqual([5, undefined, undefined, undefined])
  expect(
    parsePressure('some avg10=0.00 avg60=0.00 avg300=0.00 total=17\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=5\n'),
  ).toEqual({ someUsec: 17, fullUsec: 5 })
  expect(parsePressure(undefined)).toEqual({})
})

const figures = (texts: Record<string, string>) => (file: string) => texts[file]

test('memory figures of both versions; what is not there is absent', () => {
  expect(
    parseMemory(
      figures({
        'memory.peak': '9\n',
        'memory.events': 'max 4\noom 2\noom_kill 1\n',
        'memory.events.local': 'max 3\noom 2\n',
      }),
    ),
  ).toEqual({ peak: 9, limitHits: 3, oomKills: 1, ownOoms: 2 })
  expect(
    parseMemory(
      figures({
        'memory.max_usage_in_bytes': '9\n',
        'memory.failcnt': '0\n',
        'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
      }),
    ),
  ).toEqual({ peak: 9, oomKills: 2 })
  expect(parseMemory(() => undefined)).toEqual({})
})

test('a v1 group is full when its peak stands at its limit, whether failures are counted or not', () => {
  const MiB = 2 ** 20
  const at = (peak: number, limit: number, failcnt = 0) =>
    isFull(
      figures({
        'memory.max_usage_in_bytes': String(peak),
        'memory.limit_in_bytes': String(limit),
        'memory.failcnt': String(failcnt),
      }),
    )
  expect([at(50 * MiB, 50 * MiB), at(50 * MiB - 4096, 50 * MiB), at(40 * MiB, 50 * MiB), at(1, 50 * MiB, 3)]).toEqual([
    true,
    true,
    false,
    true,
  ])
})

const line = (root: string, mount: string, type: string, options: string) =>
  `30 24 0:26 ${root} ${mount} rw,nosuid - ${type} ${type} ${options}`

test.each([
  [
    'v2',
    [line('/', '/sys/fs/cgroup', 'cgroup2', 'rw')],
    '0::/user.slice/x\n',
    { layout: 'v2', unified: { mount: '/sys/fs/cgroup', own: '/sys/fs/cgroup/user.slice/x' }, v1: {} },
  ],
  [
    'hybrid',
    [
      line('/', '/cg/memory', 'cgroup', 'rw,memory'),
      line('/', '/cg/cpu', 'cgroup', 'rw,cpu,cpuacct'),
      line('/', '/cg/systemd', 'cgroup', 'rw,xattr,name=systemd'),
      line('/', '/cg/unified', 'cgroup2', 'rw'),
    ],
    '4:memory:/a\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n',
    {
      layout: 'hybrid',
      unified: { mount: '/cg/unified', own: '/cg/unified' },
      v1: {
        memory: { mount: '/cg/memory', own: '/cg/memory/a' },
        cpu: { mount: '/cg/cpu', own: '/cg/cpu' },
        cpuacct: { mount: '/cg/cpu', own: '/cg/cpu' },
      },
    },
  ],
  [
    'v1',
    [line('/', '/cg/pids', 'cgroup', 'rw,pids')],
    '1:pids:/\n',
    { layout: 'v1', v1: { pids: { mount: '/cg/pids', own: '/cg/pids' } } },
  ],
  [
    'a container without a cgroup namespace',
    [line('/docker/abc', '/sys/fs/cgroup', 'cgroup2', 'ro')],
    '0::/docker/abc/x\n',
    { layout: 'v2', unified: { mount: '/sys/fs/cgroup', own: '/sys/fs/cgroup/x' }, v1: {} },
  ],
  [
    'a container with one',
    [line('/', '/sys/fs/cgroup', 'cgroup2', 'ro')],
    '0::/\n',
    { layout: 'v2', unified: { mount: '/sys/fs/cgroup', own: '/sys/fs/cgroup' }, v1: {} },
  ],
  [
    'a mount point with a space',
    [line('/', '/a\\040b', 'cgroup2', 'rw')],
    '0::/\n',
    { layout: 'v2', unified: { mount: '/a b', own: '/a b' }, v1: {} },
  ],
  [
    'a v2 tree mounted over v1 hierarchies',
    [
      line('/', '/cg', 'tmpfs', 'rw'),
      line('/', '/cg/memory', 'cgroup', 'rw,memory'),
      line('/', '/cg', 'cgroup2', 'rw'),
    ],
    '4:memory:/a\n0::/\n',
    { layout: 'v2', unified: { mount: '/cg', own: '/cg' }, v1: {} },
  ],
  ['nothing', [line('/', '/', 'ext4', 'rw')], '', { layout: 'none', v1: {} }],
])('the hierarchies of %s are found', (_, mountinfo, membership, expected) =>
  expect(parseHierarchies(`${mountinfo.join('\n')}\n`, membership)).toEqual(expected),
)

test('a start time is found behind a command with parentheses', () => {
  expect(parseStartTime(`7 (a) b (c)) S ${Array.from({ length: 30 }, (_, i) => i + 4).join(' ')}`)).toBe('22')
})
