// SPDX-License-Identifier: Apache-2.0
// The words of `hutch why` and of notices about jobs that stand still: each state of a group on one page, words.snap.md.
import { expect, test } from 'vitest'
import { formatExplanation } from '../../../src/cli/why.ts'
import { causeKinds } from '../../../src/verdict/cause.ts'
import { explainReadings } from '../../../src/why/group.ts'
import type { GroupReadings } from '../../../src/why/group-facts.ts'
import { describeStall, fullTableReason } from '../../../src/why/stall.ts'

const MiB = 2 ** 20
const level = (path: string, more: object = {}) => ({ path, directory: `/sys/fs/cgroup${path}`, ...more })
const waits = (some: number, full = 0) =>
  `some avg10=${some}.00 avg60=${some}.00 avg300=${some}.00 total=60000000\nfull avg10=${full}.00 avg60=${full}.00 avg300=${full}.00 total=30000000\n`
const process = (pid: number, name: string, more: object = {}) => ({
  ...{ pid, name, argv: [name], environment: true, uid: 1000, state: 'S', parent: 1, tracer: 0, zombie: false },
  ...more,
})

type State = { [K in keyof GroupReadings]?: unknown }

/** The readings of /web in which nothing has happened, with these changes. */
function readings({ memory, tasks, ancestors, ...more }: State): GroupReadings {
  const none = { name: '/web', path: '/web', levels: [], below: [], kills: [] }
  return {
    paths: { path: '/web', directories: { '': '/sys/fs/cgroup/web' } },
    ancestors: {
      memory: [],
      pids: [],
      cpu: [],
      memoryBelow: [],
      pidsBelow: [],
      pressure: {},
      ...(ancestors as object),
    },
    ...{ populated: true, taskCount: 4, processes: [], whole: false },
    memory: { ...none, ...(memory as object) },
    tasks: { name: '/web', levels: [], below: [], ...(tasks as object) },
    ...{ full: [], frozen: [], waiting: [], daemon: [], unread: [] },
    ...more,
  } as unknown as GroupReadings
}

const kill = {
  ...{ at: 1_700_000_000_000, pid: 71, name: 'python3', uid: 1000, for: 'group', limitGroup: '/web', group: '/web/a' },
  ...{ virtual: 90 * MiB, anon: 48 * MiB, file: 1 * MiB, shmem: 0, pageTables: 0, oomScoreAdj: 0 },
}
const full = { max: String(50 * MiB), current: 50 * MiB, peak: 50 * MiB }
const cpu = { quota: 50_000, period: 100_000, periods: 100, throttledPeriods: 90, throttledUsec: 9e6, cpuUsec: 5e6 }
const lost = 'whether a process was killed in a group below that was removed: the log cannot be read'

const states: [title: string, state: State][] = [
  ['nothing stops it', {}],
  ['nothing was found, but not all could be read', { unread: [lost] }],
  ['empty, and the kernel did not end it', { populated: false }],
  ['empty, and not all could be read', { populated: false, unread: [lost] }],
  ['a process of it', { one: process(70, 'web') }],
  ['frozen', { frozen: [{ path: '/web', whose: 'own' }] }],
  ['frozen above', { frozen: [{ path: '/', whose: 'ancestor' }] }],
  ['stopped', { processes: [process(70, 'vi', { state: 'T' }), process(71, 'less', { state: 'T' })] }],
  ['held by a debugger', { processes: [process(70, 'web', { state: 't', tracer: 69 })] }],
  ['blocked', { waiting: [{ process: process(70, 'cp', { state: 'D' }), where: 'nfs_wait_bit_killable' }] }],
  ['OOM, own', { memory: { levels: [level('/web', { ...full, kills: 2, ooms: 1 })], kills: [kill] } }],
  ['OOM above', { memory: { levels: [level('/web', { kills: 1, ooms: 0 }), level('/', { ...full, ooms: 3 })] } }],
  ['OOM of the host', { memory: { levels: [level('/web', { ...full, kills: 1, ooms: 0 })] } }],
  ['OOM without a kill', { memory: { levels: [level('/web', { ...full, kills: 0, ooms: 4 })] } }],
  ['systemd-oomd', { daemon: [{ path: '/web', whose: 'own', kills: 3, times: 1 }] }],
  ['refused forks', { tasks: { levels: [level('/web', { max: '5', peak: 5, denied: 2 })] } }],
  ['RLIMIT_NPROC', { tasks: { user: { pid: 70, uid: 1000, limit: 30, tasks: 30 } } }],
  [
    'a full tmpfs',
    { full: [{ pid: 70, mounts: [{ directory: '/tmp', type: 'tmpfs', kind: 'blocks', size: 64 * MiB, free: 0 }] }] },
  ],
  ['throttled', { ancestors: { cpu: [level('/web', cpu)] } }],
  [
    'above memory.high',
    { memory: { levels: [level('/web', { high: String(20 * MiB), current: 21 * MiB, slowed: 401 })] } },
  ],
  [
    'full without a kill',
    { memory: { levels: [level('/web', full)] }, ancestors: { pressure: { memory: waits(45) } } },
  ],
  ['waiting for memory', { ancestors: { pressure: { memory: waits(80, 60) } } }],
  ['waiting for a disk', { ancestors: { pressure: { io: waits(80, 60) } } }],
  ['waiting for a CPU', { ancestors: { pressure: { cpu: waits(80) } } }],
  [
    'waiting for a CPU of its cpuset',
    { ancestors: { pressure: { cpu: waits(80) }, cpuset: level('/web', { cpus: '0', count: 1, own: true }) } },
  ],
]

/** Replaces what depends on this machine: its memory, its CPUs and its other killers. */
const anywhere = (text: string) =>
  text
    .replace(/(memory\.(?:max|high))=\d+\w?/g, '$1=SIZE')
    .replace(/of \d+ CPUs/g, 'of N CPUs')
    .replace(/CPUs \(\d+\)/g, 'CPUs (N)')
    .replace(/CPUs( +)\d+ on this host/g, 'CPUs$1N on this host')
    .replace(/cpuset\.cpus=0-\d+/g, 'cpuset.cpus=0-N')
    .replace(/arithmetic .*\n/g, 'arithmetic   …\n')
    .replace(/^ {2}could be .*\n/gm, '')

test('each state of a group has words on one page', async () => {
  const seen = new Set<string>()
  const pages = states.map(([title, state]) => {
    const { causes, unread } = explainReadings(readings(state))
    for (const { kind } of causes) seen.add(kind)
    return [title, formatExplanation({ causes, unknown: [...unread] }, false)]
  })
  const [stall] = explainReadings(readings({ frozen: [{ path: '/web', whose: 'own' }] })).causes
  const notices = [
    ['a frozen job', `hutch: ${describeStall(stall!, false)}`],
    ['a full descriptor table', `hutch: ${describeStall(fullTableReason(70, 'web', 64, 64), false)}`],
  ]
  const page = (list: string[][]) =>
    list.map(([title, text]) => `## ${title}\n\n${anywhere(text!).replace(/^(?=.)/gm, '    ')}`).join('\n')
  await expect(`# Groups\n\n${page(pages)}\n# Jobs that stand still\n\n${page(notices)}`).toMatchFileSnapshot(
    'words.snap.md',
  )
  expect([...seen].filter((kind) => !(causeKinds as readonly string[]).includes(kind))).toEqual([])
})
