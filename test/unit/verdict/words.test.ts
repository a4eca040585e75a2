// SPDX-License-Identifier: Apache-2.0
// Every template that words.ts has, as one page: a change of wording changes words.snap.md and nothing else.
import { expect, test } from 'vitest'
import { compiledWordsOf } from '../../../src/compile/words.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { type Cause, causeKinds, type Frontend, type SideEvent } from '../../../src/verdict/cause.ts'
import { makeRemedies } from '../../../src/verdict/remedies.ts'
import { describe } from '../../../src/verdict/words.ts'
import { plan, v2 } from '../hosts.ts'

const MiB = 2 ** 20
const bare: Cause = {
  kind: 'exited',
  command: '/usr/bin/make',
  end: { status: 2, signal: null },
  durationMs: 1500,
  sideEvents: [],
  confidence: 'certain',
  remedies: [],
  evidence: [],
}
const own = { file: 'memory.max', value: 40 * MiB, group: '/sys/fs/cgroup/hutch/j', level: 'own' } as const
const cc1 = { pid: 5748, name: 'cc1', anon: 39 * MiB, file: MiB, shmem: 0 }
const oom = { kind: 'oom', limit: own, counts: { oomKills: 1 } } as const
const pids = { file: 'pids.max', value: 5, level: 'own' } as const
const noEnd = { status: null, signal: null } as const
const byKill = { status: null, signal: 'SIGKILL' } as const
const lived: SideEvent = { kind: 'oom', limit: own, counts: { oomKills: 1 }, victims: [cc1], confidence: 'certain' }

const pages: [title: string, cause: Partial<Cause>][] = [
  ['It ended by itself', {}],
  ['It ended by itself, after a kill that it lived through', { sideEvents: [{ ...lived }] }],
  [
    'It ended by itself, after a refused fork',
    { sideEvents: [{ kind: 'fork-refused', limit: pids, counts: { forksRefused: 2 }, confidence: 'certain' }] },
  ],
  [
    'Forks were refused below a group above it',
    {
      sideEvents: [
        {
          kind: 'fork-refused',
          limit: { file: 'pids.max', group: '/sys/fs/cgroup/s', level: 'ancestor' },
          counts: { forksRefused: 3 },
          confidence: 'unknown',
        },
      ],
    },
  ],
  [
    'Killed for memory, at its own limit',
    { ...oom, victims: [cc1], evidence: [{ figure: 'memory', limit: own, peak: 40 * MiB, hits: 94, kills: 1 }] },
  ],
  ['Several, without the log', { ...oom, counts: { oomKills: 10 }, end: { status: 137, signal: null } }],
  [
    'At the limit of a group above',
    {
      ...oom,
      limit: { file: 'memory.max', value: 60 * MiB, group: '/sys/fs/cgroup/s', level: 'ancestor' },
      end: byKill,
    },
  ],
  ['At the limit of a group below', { ...oom, limit: { file: 'memory.max', group: '/hutch/j/x', level: 'below' } }],
  [
    'By the host',
    {
      ...oom,
      limit: { file: 'memory.max', level: 'host' },
      end: byKill,
      confidence: 'likely',
      wouldTell: "the kernel's log, which root may read",
    },
  ],
  ['All of the group', { ...oom, counts: {}, end: byKill }],
  [
    'Out of memory, and nothing could be killed',
    { ...oom, counts: { ooms: 7, oomKills: 0 }, end: { status: null, signal: 'SIGBUS', from: 'kernel' } },
  ],
  [
    'A refused fork',
    {
      kind: 'fork-refused',
      limit: pids,
      counts: { forksRefused: 1 },
      evidence: [{ figure: 'pids', limit: pids, peak: 5, denied: 1 }],
    },
  ],
  [
    'A refused thread, and a crash',
    {
      kind: 'fork-refused',
      limit: pids,
      counts: { forksRefused: 1 },
      end: { status: null, signal: 'SIGABRT', from: 'inside' },
      confidence: 'likely',
      wouldTell: 'the kernel does not record why a program ends; see its own output',
    },
  ],
  [
    'A fork refused by a group above',
    {
      kind: 'fork-refused',
      limit: { file: 'pids.max', value: 14, group: '/sys/fs/cgroup/s', level: 'ancestor' },
      counts: { forksRefused: 1 },
    },
  ],
  [
    'A fork refused above, the kernel does not tell where',
    {
      kind: 'fork-refused',
      limit: { file: 'pids.max', level: 'ancestor' },
      counts: { forksRefused: 1 },
      confidence: 'unknown',
      wouldTell: 'Linux 6.11 and later count by level',
    },
  ],
  [
    'Out of time',
    { kind: 'timeout', limit: { file: 'timeout', value: 3000 }, end: { status: null, signal: 'SIGTERM' } },
  ],
  [
    'Out of time, SIGTERM caught',
    { kind: 'timeout', limit: { file: 'timeout', value: 3000 }, end: { status: 3, signal: null } },
  ],
  [
    'Out of time, SIGTERM ignored',
    { kind: 'timeout', limit: { file: 'timeout', value: 3000 }, end: byKill, killedAfterMs: 5000 },
  ],
  [
    'Out of time, no SIGTERM',
    { kind: 'timeout', limit: { file: 'timeout', value: 3000 }, end: byKill, killedAfterMs: 0 },
  ],
  [
    'Out of time, throttled',
    {
      kind: 'timeout',
      limit: { file: 'timeout', value: 1000 },
      end: { status: null, signal: 'SIGTERM' },
      sideEvents: [
        {
          kind: 'throttled',
          limit: { file: 'cpu.max', value: '10000 100000', level: 'own' },
          counts: { periods: 10, throttledPeriods: 9, throttledUsec: 800_000, cpuUsec: 100_000 },
          confidence: 'likely',
        },
      ],
      evidence: [
        {
          figure: 'cpu',
          limit: { file: 'cpu.max', value: '10000 100000' },
          periods: 10,
          throttledPeriods: 9,
          throttledUsec: 800_000,
        },
      ],
    },
  ],
  [
    'Out of time, slowed',
    {
      kind: 'timeout',
      limit: { file: 'timeout', value: 30_000 },
      end: { status: null, signal: 'SIGTERM' },
      sideEvents: [
        {
          kind: 'slowed',
          limit: { file: 'memory.high', value: 20 * MiB, level: 'own' },
          counts: { slowed: 401 },
          confidence: 'likely',
        },
      ],
    },
  ],
  ...(
    [
      [
        { file: 'memory.max', value: 30 * MiB, level: 'own' },
        { resource: 'memory', stalledUsec: 2_000_000, refaultBytes: 560 * MiB },
      ],
      [
        { file: 'io.max', value: '8:0 rbps=1048576', level: 'own' },
        { resource: 'io', stalledUsec: 2_900_000, readBytes: 3 * MiB, writtenBytes: 0 },
      ],
      [
        { file: 'cpuset.cpus', value: '0', level: 'own' },
        { resource: 'cpu', stalledUsec: 2_950_000, cpus: 1, cpuUsec: 2_960_000 },
      ],
      [
        { file: 'memory.high', value: 20 * MiB, group: '/sys/fs/cgroup/a', level: 'ancestor' },
        { resource: 'memory', stalledUsec: 2_000_000, slowed: 401 },
      ],
      [{ file: 'memory.pressure' }, { resource: 'memory', stalledUsec: 2_000_000 }],
      [
        { file: 'cpu.max', value: '20000 100000', group: '/sys/fs/cgroup/a', level: 'ancestor' },
        { resource: 'cpu', stalledUsec: 2_700_000 },
      ],
      [{ file: 'io.pressure' }, { resource: 'io', stalledUsec: 2_000_000 }],
    ] as const
  ).map(([limit, { stalledUsec, ...more }]): [string, Partial<Cause>] => [
    `Out of time, held back by ${limit.file}${'group' in limit ? ' of a group above' : ''}`,
    {
      kind: 'timeout',
      limit: { file: 'timeout', value: 3000 },
      durationMs: 3000,
      end: { status: null, signal: 'SIGTERM' },
      sideEvents: [
        {
          kind: 'slowed',
          limit,
          counts: { stalledUsec, ...('slowed' in more && { slowed: more.slowed }) },
          confidence: 'likely',
        },
      ],
      evidence: [{ figure: 'held', limit, wallMs: 3000, stalledUsec, ...more }],
    },
  ]),
  ...(
    [
      ['frozen', { kind: 'frozen', limit: { file: 'cgroup.freeze', group: '/sys/fs/cgroup/hutch/j' } }, []],
      [
        'stopped by a signal',
        { kind: 'stopped', counts: { stoppedProcesses: 2 } },
        [{ figure: 'stopped', processes: 2 }],
      ],
      [
        'out of memory, and nothing could be killed',
        { kind: 'oom', limit: own, counts: { ooms: 7, oomKills: 0 } },
        [{ figure: 'memory', limit: own, peak: 40 * MiB, hits: 94, kills: 0 }],
      ],
    ] as const
  ).map(([title, event, evidence]): [string, Partial<Cause>] => [
    `Out of time, ${title}`,
    {
      kind: 'timeout',
      limit: { file: 'timeout', value: 3000 },
      end: byKill,
      killedAfterMs: 5000,
      sideEvents: [{ ...event, confidence: 'likely' }],
      evidence: [...evidence],
    },
  ]),
  [
    'Out of time, without descriptors',
    {
      kind: 'timeout',
      limit: { file: 'timeout', value: 3000 },
      end: { status: null, signal: 'SIGTERM' },
      sideEvents: [{ kind: 'descriptors', limit: { file: 'RLIMIT_NOFILE', value: 64 }, confidence: 'likely' }],
      evidence: [{ figure: 'descriptors', limit: 64, processes: 2 }],
    },
  ],
  [
    'Out of CPU time',
    {
      kind: 'cpu-time',
      limit: { file: 'cpuTime', value: 2000 },
      end: byKill,
      evidence: [
        {
          figure: 'cpu time',
          limitMs: 2000,
          wallMs: 2100,
          usedUsec: 2_010_000,
          userUsec: 2_000_000,
          systemUsec: 10_000,
        },
      ],
    },
  ],
  ['Too much output', { kind: 'output', limit: { file: 'maxOutput', value: MiB }, stream: 'stderr', end: byKill }],
  ['Throttled', { kind: 'throttled', limit: { file: 'cpu.max', value: '10000 100000' }, counts: {} }],
  ['Slowed', { kind: 'slowed', limit: { file: 'memory.high', value: 20 * MiB } }],
  [
    'A full file system',
    {
      kind: 'space',
      limit: { file: 'size', group: '/dev/shm' },
      end: { status: null, signal: 'SIGBUS' },
      evidence: [{ figure: 'space', target: '/dev/shm', options: ['size=64m'] }],
    },
  ],
  ['No descriptor', { kind: 'descriptors', limit: { file: 'RLIMIT_NOFILE', value: 64 } }],
  [
    'A limit of file sizes',
    { kind: 'ulimit', limit: { file: 'RLIMIT_FSIZE', value: 65_536 }, end: { status: null, signal: 'SIGXFSZ' } },
  ],
  [
    'A limit of CPU time',
    {
      kind: 'ulimit',
      limit: { file: 'RLIMIT_CPU', value: 1 },
      end: byKill,
      confidence: 'likely',
      wouldTell: 'the kernel does not record the sender of SIGKILL',
    },
  ],
  [
    'A fault',
    {
      kind: 'signal',
      end: { status: null, signal: 'SIGTRAP', from: 'inside' },
      evidence: [{ figure: 'ulimits', set: [{ name: 'as', soft: 512 * MiB }] }],
    },
  ],
  ['A signal from outside', { kind: 'signal', end: { ...byKill, from: 'outside' } }],
  [
    'A signal of unknown origin',
    {
      kind: 'signal',
      end: { ...byKill, from: 'unknown' },
      evidence: [{ figure: 'no kill' }],
      confidence: 'unknown',
      wouldTell: 'auditd can record who sends signals',
    },
  ],
  [
    'A status that stands for a signal, and the log has a fault',
    {
      end: { status: 137, signal: null },
      evidence: [
        { figure: 'signal status', status: 137, signal: 'SIGKILL' },
        { figure: 'no kill' },
        { figure: 'fault', name: 'cc1', pid: 5748, what: 'segfault' },
      ],
    },
  ],
  [
    'It failed, and a file system of the host was full',
    {
      end: { status: 1, signal: null },
      evidence: [{ figure: 'full', directory: '/srv', type: 'ext4', size: 64 * 2 ** 20, free: 4096 }],
    },
  ],
  [
    'It failed, and its options may have denied it something',
    {
      end: { status: 1, signal: null },
      evidence: [
        { figure: 'denied', by: 'seccomp', value: '--seccomp strict' },
        { figure: 'denied', by: 'landlock' },
        { figure: 'denied', by: 'root' },
        { figure: 'denied', by: 'network' },
      ],
    },
  ],
  [
    'A signal after a kill',
    { kind: 'signal', end: { status: null, signal: 'SIGSEGV', from: 'inside' }, sideEvents: [{ ...lived }] },
  ],
  [
    'A call that the filter ends it for',
    {
      kind: 'filter',
      end: { status: null, signal: 'SIGSYS' },
      evidence: [{ figure: 'profile', origin: '--seccomp strict' }],
    },
  ],
  [
    'No such program',
    {
      kind: 'exec-failed',
      command: 'mkae',
      errno: 'ENOENT',
      end: { status: null, signal: null },
      evidence: [{ figure: 'searched', path: '/usr/bin:/bin' }],
    },
  ],
  ['Not executable', { kind: 'exec-failed', errno: 'EACCES', end: { status: null, signal: null } }],
  [
    'Without its interpreter',
    { kind: 'exec-failed', errno: 'ENOENT', interpreterMissing: true, end: { status: null, signal: null } },
  ],
  ['Not inside', { kind: 'not-inside', errno: 'ENOENT', end: { status: null, signal: null } }],
  ['Stopped by its caller', { kind: 'aborted', end: { status: null, signal: 'SIGTERM' } }],
  ['Stopped before it began', { kind: 'aborted', end: { status: null, signal: null } }],
  ['A signal that was passed on', { kind: 'interrupted', passedOn: ['SIGINT'], end: { status: 130, signal: null } }],
  ['Killed by systemd-oomd', { kind: 'oomd', end: byKill }],
  [
    'Killed for the host',
    { kind: 'host-oom', counts: { oomKills: 1 }, limit: { file: 'memory.max', level: 'host' }, end: byKill },
  ],
  ['Unknown', { kind: 'unknown', end: byKill }],
  ['Frozen', { kind: 'frozen', end: noEnd }],
  ['Stopped', { kind: 'stopped', end: noEnd }],
  ['Blocked', { kind: 'blocked', end: noEnd }],
  ['Running', { kind: 'running', end: noEnd }],
  ['Not the kernel', { kind: 'not-kernel', end: noEnd }],
]

const of = plan(v2, { limits: { memory: '40M', pids: 5 }, timeout: 3000, ulimits: { fsize: 65_536, cpu: 1 } })
const made = { ...of, spec: { ...of.spec, frontend: 'cli' as const } }

function render(some: Partial<Cause>, frontend: Frontend): string {
  const cause = { ...bare, ...some }
  const { headline, evidence, remedy } = describe(
    { ...cause, remedies: makeRemedies(cause, made, () => 8 * 2 ** 30) },
    frontend,
  )
  const lines = [...evidence, ...(remedy === undefined ? [] : [['remedy', remedy]])]
  return `${headline}\n${lines.map(([label, text]) => `  ${label!.padEnd(11)}  ${text}\n`).join('')}`
}

test('each kind of cause has a page of words', async () => {
  expect(new Set(pages.map(([, { kind = 'exited' }]) => kind))).toEqual(new Set(causeKinds))
  const text = pages.map(([title, cause]) => {
    const [cli, library, bwrap] = (['cli', 'library', 'bwrap'] as const).map((frontend) => render(cause, frontend))
    const remedy = (shown: string) => /^ {2}remedy.*\n/m.exec(shown)?.[0] ?? '  remedy       none\n'
    const others = [['library', library!] as const, ['bwrap', bwrap!] as const].filter(
      ([, shown]) => remedy(shown) !== remedy(cli!),
    )
    const more = others.map(([name, shown]) => `\n  in ${name}:\n${remedy(shown)}`).join('')
    return `## ${title}\n\n${`${cli}${more}`.replace(/^(?=.)/gm, '    ')}`
  })
  const compiled = compiledWordsOf(made, compilePlan(made), () => 8 * 2 ** 30)
  const names = ['1', '2', 'end', '4', '5']
  const slots = (shown: string) =>
    names.reduce((text, name, i) => text.replaceAll(String.fromCharCode(i + 1), `{${name}}`), shown)
  const words = Object.entries(compiled).map(
    ([word, shown]) => `## ${word}\n\n${slots(shown).replace(/^(?=.)/gm, '    ')}`,
  )
  await expect(`# Verdicts\n\n${text.join('\n')}\n# Of compiled files\n\n${words.join('\n')}`).toMatchFileSnapshot(
    'words.snap.md',
  )
})
