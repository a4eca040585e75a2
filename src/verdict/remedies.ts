// SPDX-License-Identifier: Apache-2.0
// What to do about a cause, as options and commands. words.ts writes them as each front end's user types them. Pure.

import type { Plan } from '../plan/plan.ts'
import type { Cause, CauseCounts, CauseKind, CauseLimit, OptionKey, Remedy } from './cause.ts'
import { suggestMemory } from './limit-words.ts'
import { groupOf } from './usage.ts'

/** Returns the ways out, the first one first. */
export function makeRemedies(cause: Cause, plan: Plan): Remedy[] {
  const held = cause.sideEvents[0]
  if (cause.kind === 'timeout' && held?.confidence === 'likely')
    return byKind[held.kind]?.({ ...cause, ...held }, plan) ?? []
  if (cause.kind === 'exited') {
    const event = cause.sideEvents.find(({ confidence }) => confidence !== 'unknown')
    return event ? (byKind[event.kind]?.({ ...cause, ...event }, plan) ?? []) : possibleUlimits(cause)
  }
  const own = byKind[cause.kind]?.(cause, plan) ?? []
  return cause.kind === 'signal' ? [...own, ...possibleUlimits(cause)] : own
}

type Maker = (cause: Cause, plan: Plan) => Remedy[]

/** Names and values of limits are for those that the job itself has; a group above is set by a command. */
const byKind: { [K in CauseKind]?: Maker } = {
  oom: (cause, plan) => raiseMemory(cause, plan),
  'host-oom': (cause, plan) => raiseMemory(cause, plan),
  'fork-refused': (cause, plan) => raisePids(cause, plan),
  timeout: () => [
    { option: { name: 'timeout' }, reason: 'raise the limit' },
    { reason: 'check what the program is waiting for' },
  ],
  'cpu-time': () => [{ option: { name: 'cpuTime' }, reason: 'raise the limit' }, { reason: 'check what it computes' }],
  output: () => [{ option: { name: 'maxOutput' }, reason: 'raise the limit' }, { reason: 'check what it prints' }],
  space: ({ limit }) => [
    { option: { name: 'mounts.tmpfs', value: `${limit?.group}:size=…` }, reason: 'make it larger' },
    { reason: 'check what the program writes there' },
  ],
  descriptors: () => [
    { option: { name: 'ulimits.nofile' }, reason: 'raise the limit' },
    { reason: 'check what the program keeps open' },
  ],
  ulimit: ({ limit }) => [
    {
      option: {
        name: `ulimits.${limit!.file.replace('RLIMIT_', '').toLowerCase()}` as OptionKey,
        value: String(Number(limit!.value) * 2),
      },
      reason: 'raise the limit',
    },
  ],
  throttled: ({ limit, counts }) => [
    { option: { name: 'limits.cpus', value: neededCpus(limit, counts ?? {}) }, reason: 'raise the limit' },
  ],
  slowed: ({ limit }) => [
    {
      option: {
        name: 'limits.memoryHigh',
        ...(typeof limit?.value === 'number' && { value: suggestMemory(limit.value) }),
      },
      reason: 'raise the limit',
    },
  ],
  filter: () => [
    { reason: 'allow the call in the profile' },
    { option: { name: 'seccomp', value: 'default' }, reason: 'use another profile' },
    { option: { name: 'seccomp', value: 'none' }, reason: 'use none' },
  ],
  signal: ({ end }) => [
    {
      reason:
        end.from === 'inside'
          ? 'the program crashed or killed itself; see its own output'
          : `${end.from === 'outside' ? 'another process' : 'the program itself or another process'} sent the signal; check supervisors, timeout(1), and systemd-oomd`,
    },
  ],
  'exec-failed': (cause, plan) => runnable(cause, plan),
  'not-inside': (cause, plan) => runnable(cause, plan),
}

function raiseMemory({ limit, counts }: Cause, plan: Plan): Remedy[] {
  const value = typeof limit?.value === 'number' ? suggestMemory(limit.value) : undefined
  if (limit?.level === 'host') return [{ reason: 'free memory on this host, or limit other programs' }]
  if (limit?.level === 'ancestor' || limit?.level === 'below') return raiseGroup(limit, 'memory.max', value ?? 'SIZE')
  const killable = plan.spec.privileges.oomScoreAdj === -1000 && (counts?.oomKills ?? 0) === 0
  return [
    { option: { name: 'limits.memory', ...(value && { value }) }, reason: 'raise the limit' },
    ...(killable
      ? [{ option: { name: 'oomScoreAdj' as const, value: '0' }, reason: 'let the kernel kill it instead' }]
      : [
          {
            argv: ['hutch', 'run', ...(value ? ['--memory', value] : []), '--verbose', '…'],
            reason: 'measure how much it needs',
          },
        ]),
  ]
}

function raisePids({ limit }: Cause, plan: Plan): Remedy[] {
  if (limit?.level === 'ancestor') {
    const max = typeof limit.value === 'number' ? limit.value : undefined
    if (limit.group !== undefined) return raiseGroup(limit, 'pids.max', max === undefined ? 'N' : String(roomFor(max)))
    const parent = (groupOf(plan, 'pids') ?? plan.groups[0])?.parent ?? '/'
    return [
      { argv: ['hutch', 'why', parent], reason: 'find the group above that is full' },
      { option: { name: 'parent' }, reason: 'run it below another group' },
    ]
  }
  const value = typeof limit?.value === 'number' ? String(roomFor(limit.value)) : undefined
  return [
    {
      option: { name: 'limits.pids', ...(value && { value }) },
      reason: "raise the limit (processes and threads count, and hutch's PID 1)",
    },
  ]
}

function roomFor(tasks: number): number {
  return Math.max(tasks * 2, tasks + 8)
}

function raiseGroup({ group }: CauseLimit, file: string, value: string): Remedy[] {
  return [
    { argv: ['hutch', 'cgroup', 'set', group!, `${file}=${value}`], reason: 'raise the limit' },
    { option: { name: 'parent' }, reason: 'run it below another group' },
  ]
}

/** CPUs that it used and was denied, per period; always more than the limit. */
function neededCpus(limit: CauseLimit | undefined, counts: CauseCounts): string {
  const [quota = 0, period = 100_000] = String(limit?.value ?? '')
    .split(' ')
    .map(Number)
  const active = (counts.periods ?? 0) * period
  const needed =
    active > 0
      ? (Math.min(counts.cpuUsec ?? 0, quota * (counts.periods ?? 0)) + (counts.throttledUsec ?? 0)) / active
      : 0
  const least = (quota / period) * 1.2
  return String(Math.ceil(Math.max(needed, least) * 10) / 10)
}

/** Limits that may have made it fail in a way that names none. */
function possibleUlimits({ evidence }: Cause): Remedy[] {
  const figure = evidence.find((entry) => entry.figure === 'ulimits')
  if (figure?.figure !== 'ulimits') return []
  return figure.set.map(({ name }) => ({
    option: { name: `ulimits.${name}` as OptionKey, without: true as const },
    reason: 'to see whether this limit caused it, run it once',
  }))
}

function runnable({ errno, interpreterMissing }: Cause, plan: Plan): Remedy[] {
  const [command = ''] = plan.argv
  if (errno === 'ENOENT' && !interpreterMissing) {
    if (!command.includes('/')) return [{ option: { name: 'env' }, reason: 'give its path, or set PATH' }]
    if (!plan.spec.root) return [{ reason: 'give a path that exists' }]
    return [{ option: { name: 'mounts.volume' }, reason: 'give a path that exists inside, or mount it there' }]
  }
  if (plan.spec.landlock && errno === 'EACCES')
    return [
      {
        option: { name: 'landlock', value: '/usr:rx' },
        reason:
          'allow it to be executed, and its interpreter and libraries to be read, each mount separately (/lib:rx, /lib64:rx)',
      },
    ]
  if (errno === 'ENOEXEC')
    return [
      {
        argv: ['file', command],
        reason: 'start a script with a line such as #!/bin/sh; a program may be for another architecture, or truncated',
      },
    ]
  if (interpreterMissing) return [{ reason: 'install its interpreter, or correct the first line' }]
  return [
    { argv: ['chmod', '+x', command], reason: 'make it executable' },
    { reason: 'run it through its interpreter; a directory, or a file on a noexec mount, cannot be run' },
  ]
}
