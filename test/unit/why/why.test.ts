// SPDX-License-Identifier: Apache-2.0
// Explanations from facts of processes and groups.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatExplanation } from '../../../src/cli/why.ts'
import { parseWritable } from '../../../src/host/file-system.ts'
import { type KernelRecord, parseEvents, parseRecord } from '../../../src/host/kernel-record.ts'
import { adviseHeap, defaultHeap, isNode, parseHeapFlag } from '../../../src/verdict/node-heap.ts'
import { taskCauses } from '../../../src/why/fork-limits.ts'
import { memoryCauses } from '../../../src/why/memory.ts'
import { pressureLines, slowedCauses } from '../../../src/why/pressure.ts'
import { parseNproc, parseStart } from '../../../src/why/process.ts'
import { raise } from '../../../src/why/raise-command.ts'
import { knownReasons, parseReport, reportCauses } from '../../../src/why/report.ts'
import { explainThrottling } from '../../../src/why/throttle.ts'
import { mountsAbove } from '../../../src/why/why.ts'

const MiB = 2 ** 20
const records = (...texts: string[]): KernelRecord[] =>
  texts.map((text, number) => ({ number, at: 1000 + number, byKernel: true, text }))

/** As printk escapes what it gives out. */
const asPrinted = (bytes: Buffer) =>
  [...bytes]
    .map((byte) =>
      byte < 32 || byte >= 127 || byte === 92 ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte),
    )
    .join('')

const report = (name: string, pid: number, limitGroup: string, group: string) => [
  `${name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`,
  'memory: usage 51200kB, limit 51200kB, failcnt 0',
  'memory+swap: usage 51200kB, limit 51200kB, failcnt 0',
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=${limitGroup},task_memcg=${group},task=${name},pid=${pid},uid=0`,
  `Memory cgroup out of memory: Killed process ${pid} (${name}) total-vm:52232kB, anon-rss:50432kB, file-rss:572kB, shmem-rss:4kB, UID:0 pgtables:144kB oom_score_adj:-5`,
]

test('a record of the log has its text back as it was, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(1e6), (name, usec) => {
      const text = Buffer.from(name)
      expect(parseRecord(`6,7,${usec},-,caller=T1;${asPrinted(text)}\n SUBSYSTEM=x\n`, 500)).toEqual({
        number: 7,
        at: 500 + usec / 1000,
        byKernel: true,
        text: text.toString(),
      })
    }),
  )
  expect(parseRecord('14,1,2,-;text\n', 0)).toMatchObject({ byKernel: false })
  for (const wrong of ['', '6,1;x', 'x', '6,1,2,-']) expect(parseRecord(wrong, 0)).toBe(undefined)
})

test('a report names the limit, the group, the victim and its sizes', () => {
  expect(parseEvents(records(...report('hutch', 26022, '/a', '/a/b'))).kills).toEqual([
    {
      at: 1004,
      pid: 26022,
      name: 'hutch',
      uid: 0,
      for: 'group',
      limitGroup: '/a',
      group: '/a/b',
      virtual: 52232 * 1024,
      anon: 50432 * 1024,
      file: 572 * 1024,
      shmem: 4096,
      pageTables: 144 * 1024,
      oomScoreAdj: -5,
      usage: 50 * MiB,
      limit: 50 * MiB,
    },
  ])
})

test('a kill whose report was left out is not laid at the door of the group before it', () => {
  const line = report('x', 2, '/a', '/a').at(-1)!
  const [first, second] = parseEvents(records(...report('x', 1, '/a', '/a'), line)).kills
  expect([first!.group, second!.pid, second!.group, second!.limitGroup]).toEqual(['/a', 2, undefined, undefined])
})

test('those killed with their group are told as its members', () => {
  const mate = report('y', 8, '', '').at(-1)!
  const { kills } = parseEvents(
    records(
      ...report('x', 7, '/a', '/a/b/c'),
      'Tasks in /a/b are going to be killed due to memory.oom.group set',
      mate,
    ),
  )
  expect(kills.map(({ pid, group, limitGroup, together }) => [pid, group, limitGroup, together])).toEqual([
    [7, '/a/b/c', '/a', undefined],
    [8, '/a/b', '/a', true],
  ])
})

test('the host’s own memory, memory nodes, and an order by hand are told apart', () => {
  const host = (constraint: string) => [
    'x invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0',
    `oom-kill:constraint=CONSTRAINT_${constraint},nodemask=(null),cpuset=jobs,mems_allowed=0-1,3,global_oom,task_memcg=/a,task=x,pid=5,uid=1`,
    'Out of memory: Killed process 5 (x) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:1 pgtables:8kB oom_score_adj:0',
  ]
  const kills = (...texts: string[]) => parseEvents(records(...texts)).kills
  expect(kills(...host('NONE'))).toMatchObject([{ for: 'host', group: '/a', pid: 5 }])
  expect(kills(...host('CPUSET'))).toMatchObject([{ for: 'host', nodesAlone: true }])
  expect(kills('sysrq: Manual OOM execution', ...host('NONE'))).toMatchObject([{ for: 'host', byHand: true }])
})

test('no name of a group or process makes the log tell of another one', () => {
  const part = fc.constantFrom(
    ',task_memcg=/victim',
    ',oom_memcg=/victim',
    ',task=x',
    ',pid=9',
    ',uid=0',
    'a',
    '/',
    '\n',
  )
  const path = fc.array(part, { maxLength: 4 }).map((parts) => `/evil${parts.join('')}`)
  const name = fc.array(part, { maxLength: 3 }).map((parts) => parts.join('').slice(0, 15))
  fc.assert(
    fc.property(path, path, name, (limitGroup, group, comm) => {
      const [kill, ...more] = parseEvents(records(...report(comm, 31, limitGroup, group))).kills
      expect(more).toEqual([])
      expect([kill!.pid, kill!.name]).toEqual([31, comm])
      expect([undefined, limitGroup]).toContain(kill!.limitGroup)
      expect([undefined, group]).toContain(kill!.group)
    }),
  )
  for (const comm of ['a[1]: segfault ', 'Killed process ', '\x1b[2J'])
    expect(parseEvents(records(`${comm}[77]: segfault at 0 ip 0 sp 0 error 4 in x[1000+10]`))).toEqual({
      kills: [],
      forkRefusals: [],
      faults: [expect.objectContaining({ pid: 77, name: comm, what: 'segfault' })],
    })
})

test('any text of the log is taken without harm', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
      expect(parseEvents(records(...texts)).kills).toEqual([])
    }),
  )
})

const level = (path: string, more: object = {}) => ({ path, directory: `/cg${path}`, ...more })

test('whose limit it was is told by the counts of v2, by v1’s peaks, and before both by the log', () => {
  const facts = { name: '/a/b', path: '/a/b', below: [], kills: [] }
  const of = (levels: object[], more = {}) =>
    memoryCauses({ ...facts, levels: levels as never, ...more }).map(({ whose, group, count }) => [whose, group, count])
  expect(of([level('/a/b', { kills: 2, ooms: 1 }), level('/a', { ooms: 3 })])).toEqual([['own', '/a/b', 2]])
  expect(of([level('/a/b', { kills: 2, ooms: 0 }), level('/a', { ooms: 3 })])).toEqual([['ancestor', '/a', 2]])
  expect(of([level('/a/b', { kills: 2, ooms: 0 }), level('/a', { ooms: 0 })])).toEqual([['host', undefined, 2]])
  expect(of([level('/a/b', { kills: 1, full: false }), level('/a', { full: true })])).toEqual([['ancestor', '/a', 1]])
  expect(
    of([level('/a/b', { kills: 0, full: false })], { below: [level('/a/b/c', { kills: 2, full: true })] }),
  ).toEqual([['below', '/a/b/c', 2]])
  expect(of([level('/a/b', { kills: 0, ooms: 0 })])).toEqual([])
  const { kills } = parseEvents(records(...report('x', 1, '/a', '/a/b'), ...report('y', 2, '/a/b', '/a/b')))
  // the log has both; without counts all of it stands, with counts the last of them: others are of an earlier group
  expect(of([], { kills })).toEqual([
    ['own', '/a/b', 1],
    ['ancestor', '/a', 1],
  ])
  expect(of([level('/a/b', { kills: 1, ooms: 1 })], { kills })).toEqual([['own', '/a/b', 1]])
  expect(of([level('/a/b', { kills: 0, ooms: 0 })], { kills })).toEqual([])
  // a kill for a group's limit whose report was left out is not the host's
  const { limitGroup: _, group: __, ...bare } = kills[0]!
  expect(of([], { kills: [bare] })).toEqual([[undefined, undefined, 1]])
})

test('a group that waits for memory without a kill is told by its pressure', () => {
  const facts = { name: '/a', path: '/a', below: [], kills: [] }
  const pressure = (avg60: string) =>
    `some avg10=0.00 avg60=${avg60} avg300=1.25 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n`
  const of = (more: object, avg60: string) =>
    slowedCauses({ ...facts, levels: [level('/a', more)] } as never, pressure(avg60)).map(({ limit }) => limit)
  const full = { max: '1000000', current: 999_000 }
  expect(of(full, '45.00')).toEqual(['memory.max'])
  expect(of(full, '2.00')).toEqual([])
  expect(of({ ...full, current: 500_000 }, '45.00')).toEqual([])
  expect(of({ high: '1000000', slowed: 3 }, '0.00')).toEqual(['memory.high'])
  expect(of({ slowed: 3 }, '0.00')).toEqual([])
  expect(pressureLines({ memory: pressure('0.00') })).toEqual([
    ['pressure', 'memory: some task waited 2.5 s, all of them 1.0 s, 1.25 % of the last 5 minutes'],
  ])
})

test.each([
  ['its own pids.max', { levels: [level('/a', { max: '5', denied: 2 })] }, ['pids.max', 'own', '/a', 2]],
  [
    'an older kernel, one level with a limit',
    { levels: [level('/a/b', { denied: 1 }), level('/a', { max: '9', current: 2 })] },
    ['pids.max', 'ancestor', '/a', 1],
  ],
  [
    'an older kernel, the level that is full',
    { levels: [level('/a/b', { max: '20', denied: 1, peak: 9 }), level('/a', { max: '9', current: 9 })] },
    ['pids.max', 'ancestor', '/a', 1],
  ],
  [
    'an older kernel that leaves two to choose from',
    { levels: [level('/a/b', { max: '20', denied: 1 }), level('/a', { max: '9' })] },
    ['pids.max', undefined, '/a/b', 1],
  ],
  [
    'a newer kernel, which tells the level',
    {
      levels: [level('/a/b', { max: '5', denied: 0, deniedHere: 0 }), level('/a', { max: '9', deniedHere: 4 })],
      firstRefused: 1000,
    },
    ['pids.max', 'ancestor', '/a', 4],
  ],
  [
    'a newer kernel, a group below',
    { levels: [level('/a', { denied: 3, deniedHere: 0 })], below: [level('/a/b', { max: '2', deniedHere: 3 })] },
    ['pids.max', 'below', '/a/b', 3],
  ],
  [
    'RLIMIT_NPROC',
    { user: { pid: 7, uid: 1000, limit: 30, tasks: 30 } },
    ['RLIMIT_NPROC', 'own', undefined, undefined],
  ],
  [
    'threads-max',
    { host: { tasks: 500, threadsMax: 500, pidMax: 32768 } },
    ['threads-max', 'host', undefined, undefined],
  ],
  ['pid_max', { host: { tasks: 32500, threadsMax: 99999, pidMax: 32768 } }, ['pid_max', 'host', undefined, undefined]],
])('a refused fork: %s', (_, facts, expected) => {
  const causes = taskCauses({ name: '/a', levels: [], below: [], ...facts } as never)
  expect(causes.map(({ limit, whose, group, count }) => [limit, whose, group, count])).toEqual([expected])
})

test('where there is room nothing is told of tasks', () => {
  const host = { tasks: 400, threadsMax: 500, pidMax: 32768 }
  const user = { pid: 7, uid: 1000, limit: 30, tasks: 29 }
  expect(taskCauses({ name: '/a', levels: [level('/a', { max: '5', denied: 0 })], below: [], user, host })).toEqual([])
})

test('RLIMIT_NPROC holds for those without rights alone', () => {
  const limits = 'Limit  Soft  Hard\nMax processes             30                   40                   processes\n'
  expect(parseNproc(limits, 1000, '0000000000000000')).toBe(30)
  expect(parseNproc(limits, 0, '0000000000000000')).toBe(undefined)
  expect(parseNproc(limits, 1000, '0000000001000000')).toBe(undefined)
  expect(parseNproc(limits.replace('30', 'unlimited'), 1000, '0')).toBe(undefined)
})

test('a process did not begin before what its start in ticks since the boot allows', () => {
  const stat = `7 (a) b) Z ${'1 '.repeat(18)}12345 ${'0 '.repeat(40)}`
  // ten seconds ago, but for a second and a ten-thousandth of the time since the boot
  expect(parseStart(stat, '133.45 200.00\n', 1_000_000)).toBeCloseTo(1_000_000 - 10_000 - 13.345 - 1000)
  expect(parseStart(stat, '', 1_000_000)).toBe(undefined)
  expect(parseStart('', '133.45 200.00\n', 1_000_000)).toBe(undefined)
})

test('the arithmetic of a CPU limit', () => {
  const facts = { quota: 50_000, period: 100_000, periods: 100, throttledPeriods: 98, throttledUsec: 9_500_000 }
  expect(
    explainThrottling(
      'web',
      { ...facts, cpuUsec: 4_900_000, tasks: 4, cpus: 2 },
      {
        raise: (more) => `--cpus ${more}`,
        limit: (file, value) => `${file}=${value}`,
      },
    ),
  ).toEqual({
    kind: 'throttled',
    confidence: 'certain',
    cause: 'throttled',
    limit: 'cpu.max',
    count: 98,
    headline: 'web was throttled by cpu.max in 98 % of the periods in which it had work',
    evidence: [
      ['cpu.max', '50000 100000   throttled in 98 % of periods (98 of 100), 9.5 s in all'],
      ['allowed', '0.50 CPUs: 50 ms of each 100 ms, all its tasks together'],
      ['arithmetic', '2 tasks that compute at once use that up after 25 ms, then all wait 75 ms'],
      ['wanted', 'about 1.44 CPUs while it had work: 0.49 used, 0.95 held back'],
    ],
    remedy: 'raise it: --cpus 1.5',
  })
})

test('the heap of a Node program', () => {
  expect([['/usr/bin/node', 'x'], ['nodejs'], ['node22'], ['nodemon'], ['sh', 'node'], []].map(isNode)).toEqual([
    ...[true, true, true],
    ...[false, false, false],
  ])
  expect(parseHeapFlag(['node', '--max-old-space-size=100', '--max_old_space_size=200', 'x.js'])).toBe(200 * MiB)
  expect(parseHeapFlag(['node', 'x.js', '--max-old-space-size=100'])).toBe(undefined)
  expect(parseHeapFlag(['node', 'x.js'], '--inspect --max-old-space-size=64')).toBe(64 * MiB)
  expect(parseHeapFlag(['node', '--max-old-space-size=32', 'x.js'], '--max-old-space-size=64')).toBe(32 * MiB)
  expect(parseHeapFlag(['node', '-r', './a.js', '--max-old-space-size=48', 'x.js', '--max-old-space-size=9'])).toBe(
    48 * MiB,
  )
  expect(parseHeapFlag(['node', 'x.js'], '--require "./a \\"b.js" "--max-old-space-size=96"')).toBe(96 * MiB)
  expect([256, 400, 1024, 8192, 15 * 1024, 65536].map((mib) => defaultHeap(mib * MiB) / MiB)).toEqual([
    ...[256, 256, 512],
    ...[2048, 4096, 4096],
  ])
  const remedy = (limit: number, flag?: number) => adviseHeap(limit * MiB, flag && flag * MiB, 8 * 2 ** 30).remedy
  expect(remedy(512)).toContain('--max-old-space-size=384')
  expect(remedy(512, 4096)).toContain('--max-old-space-size=384')
  expect(remedy(512, 128)).toContain('outside the heap')
})

test('file systems that a process can write, and that can be asked without waiting', () => {
  const line = (mount: string, options: string, type: string, superOptions: string) =>
    `22 1 0:20 / ${mount} ${options} shared:1 - ${type} none ${superOptions}`
  expect(
    parseWritable(
      [
        line('/', 'rw,relatime', 'overlay', 'rw,lowerdir=/a'),
        line('/tmp', 'rw', 'tmpfs', 'rw,size=1024k'),
        line('/a\\040b', 'rw', 'tmpfs', 'rw'),
        line('/ro', 'ro', 'tmpfs', 'rw'),
        line('/disk', 'rw', 'ext4', 'ro'),
        line('/far', 'rw', 'nfs4', 'rw'),
        line('/fuse', 'rw', 'fuse.sshfs', 'rw'),
        line('/tmp2', 'rw', 'tmpfs', 'rw'),
        line('/tmp2', 'rw', 'proc', 'rw'),
        'nonsense',
        '',
      ].join('\n'),
    ),
  ).toEqual([
    { directory: '/', type: 'overlay' },
    { directory: '/tmp', type: 'tmpfs' },
    { directory: '/a b', type: 'tmpfs' },
  ])
})

const saved = {
  command: ['/bin/web'],
  exitCode: null,
  signal: 'SIGKILL',
  signalFrom: 'outside',
  reason: 'signal',
  limits: { 'cpu.max': '50000 100000' },
  usage: { oomKills: 0, periods: 10, throttledPeriods: 5, throttledUsec: 1000 },
  cgroup: { layout: 'v2', path: '/sys/fs/cgroup/x' },
  verdict: { headline: 'web was ended by SIGKILL, from outside', evidence: [['a', 'b']], remedy: 'see' },
}

test('a report is what its run was told, and what held it back', () => {
  const causes = reportCauses(parseReport(JSON.stringify(saved), 'r.json'), 2)
  expect(causes.map(({ cause }) => cause)).toEqual(['signal', 'throttled'])
  expect(causes[0]!.evidence).toEqual([
    ['a', 'b'],
    ['not by', expect.stringContaining('oom_kill 0')],
  ])
})

test.each([
  ['not JSON', '{', 'not JSON'],
  ['a list', '[]', 'object'],
  ['null', 'null', 'object'],
  ['no command', { ...saved, command: [] }, 'command'],
  ['a command of numbers', { ...saved, command: [1] }, 'command'],
  ['an unknown reason', { ...saved, reason: 'constructor' }, 'reason'],
  ['figures as texts', { ...saved, usage: { periods: '\x1b[2J' } }, 'usage'],
  ['limits as objects', { ...saved, limits: { 'cpu.max': {} } }, 'limits'],
  ['evidence of three', { ...saved, verdict: { headline: 'x', evidence: [['a', 'b', 'c']] } }, 'verdict'],
  ['no verdict', { ...saved, verdict: undefined }, 'verdict'],
])('a file that is no report is refused: %s', (_, value, what) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  expect(() => parseReport(text, 'r.json')).toThrowError(expect.objectContaining({ code: 'REPORT_INVALID' }))
  expect(() => parseReport(text, 'r.json')).toThrowError(what)
})

test('a hierarchy that is mounted from above a cgroup namespace has other paths', () => {
  const line = (root: string) => `35 24 0:30 ${root} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n`
  expect(['/', '/a/..b', '/..', '/../..'].map((root) => mountsAbove(line(root)))).toEqual([false, false, true, true])
})

test('every reason that a report can have is known', () => {
  const schema = JSON.parse(readFileSync('report.schema.json', 'utf8'))
  expect([...knownReasons].sort()).toEqual([...schema.properties.reason.enum].sort())
})

test('commands to be copied are words for a shell, and name the unit of systemd', () => {
  expect(raise('/a "b" $(id)', 'memory.max', '18M')).toBe(`hutch cgroup set '/a "b" $(id)' memory.max=18M`)
  expect(raise('/a', 'cpu.max', '20000 100000')).toBe('hutch cgroup set /a cpu.max="20000 100000"')
  expect(raise('/system.slice/web.service', 'cpu.max', '20000 100000')).toBe(
    'hutch cgroup set /system.slice/web.service cpu.max="20000 100000"; to make it permanent in systemd: systemctl set-property web.service CPUQuota=20%',
  )
  expect(raise('/user.slice/user@1.service/app.slice', 'pids.max', '9')).toMatch(
    /systemctl --user set-property app.slice TasksMax=9$/,
  )
})

test('kills that a job lived through are a cause of their own', () => {
  const usage = { oomKills: 2, pidsDenied: 1 }
  const verdict = { headline: 'well', evidence: [] }
  const limits = { 'memory.max': 8 * MiB }
  const limit = { file: 'memory.max', level: 'own' }
  const end = { status: 0, signal: null }
  const cause = { kind: 'exited', command: '/bin/x', end, sideEvents: [{ kind: 'oom', limit }] }
  const text = {
    command: ['/bin/x'],
    exitCode: 0,
    signal: null,
    reason: 'exit',
    limits,
    usage,
    cgroup: {},
    verdict,
    cause,
  }
  expect(reportCauses(parseReport(JSON.stringify(text), 'r'), 2)).toMatchObject([
    { cause: 'exit' },
    {
      cause: 'oom',
      whose: 'own',
      count: 2,
      remedy: expect.stringMatching(/^measure how much it needs: run it once with --memory \d+[MG] --verbose$/),
    },
    { cause: 'pids', count: 1 },
  ])
})

test('what stands in a report reaches no terminal as it is', () => {
  const verdict = { headline: 'a\x1b[2Jb', evidence: [['\x07', '\x9b1m']], remedy: '\n' }
  const causes = reportCauses(parseReport(JSON.stringify({ ...saved, limits: {}, verdict }), 'r.json'), 2)
  const text = formatExplanation({ causes, unknown: ['\x1b'] }, false)
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  expect(text).toContain('a\\x1b[2Jb\n')
})
