// SPDX-License-Identifier: Apache-2.0
// Chooses the remedies for a cause, as options and commands. words.ts writes them in each front end's form. Called by make-cause.ts; pure.

import type { Plan } from '../plan/plan.ts'
import { formatSize, parseSize } from '../text/units.ts'
import type { Cause, CauseCounts, CauseKind, CauseLimit, Denier, OptionKey, Remedy, SideEvent } from './cause.ts'
import { cpuNeed } from './cpu-need.ts'
import { isSlowing } from './held-words.ts'
import { sizeText } from './memory-need.ts'
import { isNodeVictim, nodeRemedies } from './node-heap.ts'
import { groupOf } from './usage.ts'

/**
 * Returns a limit in bytes for a run that measures how much `group`, or the job, needs. Returns undefined if not enough
 * memory is available for a higher limit.
 */
export type Measuring = (limit: number, group?: string) => number | undefined

/** Returns the remedies, the most useful first. */
export function makeRemedies(cause: Cause, plan: Plan, measuring: Measuring): Remedy[] {
  const made = ({ kind }: Pick<SideEvent, 'kind'>, of: Cause) => byKind[kind]?.(of, plan, measuring) ?? []
  const held = cause.sideEvents[0]
  const isHeld =
    held?.confidence === 'likely' &&
    (cause.kind === 'timeout' || (cause.kind === 'cpu-time' && (isSlowing(held) || isOomAlone(held))))
  if (isHeld) return made(held, { ...cause, ...held })
  if (cause.kind === 'exited') {
    const event = cause.sideEvents.find((entry) => entry.confidence !== 'unknown' && !isSlowing(entry))
    return event ? made(event, { ...cause, ...event }) : [...possibleUlimits(cause), ...possibleDenials(cause)]
  }
  const own = made(cause, cause)
  return cause.kind === 'signal' ? [...own, ...possibleUlimits(cause), ...possibleDenials(cause)] : own
}

/** Returns true if memory ran out, but the kernel found no process that it could kill. */
function isOomAlone({ kind, counts }: SideEvent): boolean {
  return kind === 'oom' && (counts?.oomKills ?? 0) === 0
}

type Maker = (cause: Cause, plan: Plan, measuring: Measuring) => Remedy[]

/**
 * Functions that make the remedies for a kind of cause. A limit of the job itself is changed by an option, a limit of
 * an ancestor by a command.
 */
const byKind: { [K in CauseKind]?: Maker } = {
  oom: raiseMemory,
  'host-oom': raiseMemory,
  'fork-refused': (cause, plan) => raisePids(cause, plan),
  timeout: () => [measure('timeout', 'how long it takes'), { reason: 'check what the program is waiting for' }],
  'cpu-time': () => [measure('cpuTime', 'how much CPU time it takes'), { reason: 'check what it computes' }],
  output: () => [measure('maxOutput', 'how much it prints'), { reason: 'check what it prints' }],
  space: (cause) => [
    { option: { name: 'mounts.tmpfs', value: largerSpace(cause) }, reason: 'make it larger' },
    { reason: 'check what the program writes there' },
  ],
  descriptors: ({ limit }) => [
    {
      option: {
        name: 'ulimits.nofile',
        ...(limit?.file === 'RLIMIT_NOFILE' && { value: String(Number(limit.value) * 2) }),
      },
      reason: 'raise the limit',
    },
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
  frozen: () => [{ reason: 'check who froze the group: docker pause, systemctl freeze, or hutch cgroup freeze' }],
  stopped: () => [
    { reason: 'check who sent SIGSTOP or SIGTSTP' },
    { reason: 'if the program uses the terminal in the background, redirect its streams' },
  ],
  throttled: ({ limit, counts }) => raiseCpus(limit, counts ?? {}),
  slowed: (cause, plan, measuring) => slowedRemedies[cause.limit?.file ?? '']?.(cause, plan, measuring) ?? [],
  filter: () => [
    { reason: 'allow the call in the profile' },
    { option: { name: 'seccomp', value: 'default' }, reason: 'use another profile' },
    { option: { name: 'seccomp', value: 'none' }, reason: 'use no profile' },
  ],
  oomd: () => [
    { argv: ['journalctl', '-u', 'systemd-oomd'], reason: 'check when and why it acted' },
    { reason: 'give the host more memory or swap, or set ManagedOOMPreference=avoid on the unit' },
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

/** Remedies by the kernel file of the limit that slowed the job. */
const slowedRemedies: { [file: string]: Maker } = {
  'memory.high': ({ limit }, _, measuring) => {
    const value = typeof limit?.value === 'number' ? limit.value : undefined
    if (limit?.level === 'ancestor') return measureGroup(limit, value, measuring)
    if (value === undefined) return [{ option: { name: 'limits.memoryHigh' }, reason: 'raise the limit' }]
    return [measureWith('limits.memoryHigh', value, measuring)]
  },
  'memory.max': raiseMemory,
  'memory.limit_in_bytes': raiseMemory,
  'cpu.max': ({ limit }) => [
    { reason: `raise or remove cpu.max of ${limit?.group}` },
    { option: { name: 'parent' }, reason: 'run it below another group' },
  ],
  'io.max': () => [measure('limits.ioMax', 'how fast it is without this limit')],
  'cpuset.cpus': () => [
    measure('limits.cpusetCpus', 'how fast the job is on all CPUs'),
    { reason: 'use only as many threads as the job has CPUs' },
  ],
  'memory.pressure': () => [{ reason: 'free memory on this host, or check the limits of the groups above' }],
  'io.pressure': () => [{ reason: 'check what else uses the disk' }, measure('timeout', 'how long it takes')],
}

/** Returns a remedy: run the job once without this limit, because a sufficient value is not known. */
function measure(name: OptionKey, what: string): Remedy {
  return { option: { name, without: true }, reason: `measure ${what}: run it once` }
}

/** Returns twice the size of a tmpfs that was full, because the real need is not known. */
function largerSpace({ limit, evidence }: Cause): string {
  const full = evidence.find((entry) => entry.figure === 'space' && entry.target === limit?.group)
  const option = full?.figure === 'space' ? full.options.find((entry) => entry.startsWith('size=')) : undefined
  const bytes = parseSize(option?.slice('size='.length))
  const size = typeof bytes === 'number' ? `${Math.ceil(bytes / 2 ** 19)}M` : '…'
  return `${limit?.group}:size=${size}`
}

function raiseMemory(cause: Cause, plan: Plan, measuring: Measuring): Remedy[] {
  const { limit, counts } = cause
  const value = typeof limit?.value === 'number' ? limit.value : undefined
  if (limit?.level === 'host') return [{ reason: 'free memory on this host, or limit other programs' }]
  if (limit?.level === 'ancestor' || limit?.level === 'below') return measureGroup(limit, value, measuring)
  if (value === undefined) return [{ option: { name: 'limits.memory' }, reason: 'raise the limit' }]
  const heap = isNodeVictim(cause) ? nodeRemedies(value, plan.argv, plan.env) : []
  const unkillable = plan.spec.privileges.oomScoreAdj === -1000 && (counts?.oomKills ?? 0) === 0
  return [
    ...heap,
    measureWith('limits.memory', value, measuring),
    ...(unkillable
      ? [{ option: { name: 'oomScoreAdj' as const, value: '0' }, reason: 'let the kernel kill it instead' }]
      : []),
  ]
}

const noRoom = (limit: number) =>
  `this host has no memory above ${formatSize(limit)}: check whether the memory of the program grows without bound`

/** Returns a remedy: run the job once with a large limit, because it is not known how much a killed program needs. */
function measureWith(name: OptionKey, limit: number, measuring: Measuring): Remedy {
  const enough = measuring(limit)
  if (enough === undefined) return { reason: noRoom(limit) }
  return {
    option: { name, value: sizeText(enough) },
    measure: true,
    reason: 'measure how much it needs: run it once',
  }
}

function measureGroup(limit: CauseLimit, value: number | undefined, measuring: Measuring): Remedy[] {
  const elsewhere: Remedy = { option: { name: 'parent' }, reason: 'run it below another group' }
  const enough = value === undefined ? undefined : measuring(value, limit.group)
  if (value !== undefined && enough === undefined) return [{ reason: noRoom(value) }, elsewhere]
  const text = enough === undefined ? 'SIZE' : sizeText(enough)
  return [
    {
      argv: ['hutch', 'cgroup', 'set', limit.group!, `${limit.file}=${text}`],
      ...(enough !== undefined && { measure: true as const }),
      reason: 'raise the limit, to measure how much it needs',
    },
    { argv: ['hutch', 'cgroup', 'get', limit.group!, 'memory.peak'], reason: 'read its peak', next: true },
    elsewhere,
  ]
}

function raisePids({ limit }: Cause, plan: Plan): Remedy[] {
  if (limit?.level === 'ancestor') {
    const max = typeof limit.value === 'number' ? limit.value : undefined
    if (limit.group !== undefined) return raiseGroup(limit, 'pids.max', max === undefined ? 'N' : String(roomFor(max)))
    const parent = (groupOf(plan, 'pids') ?? plan.groups[0])?.parent ?? '/'
    return [
      { argv: ['hutch', 'why', parent], reason: 'find the full group above' },
      { option: { name: 'parent' }, reason: 'run it below another group' },
    ]
  }
  const value = typeof limit?.value === 'number' ? String(roomFor(limit.value)) : undefined
  return [
    {
      option: { name: 'limits.pids', ...(value && { value }) },
      reason: "raise the limit on tasks (processes, threads, and hutch's PID 1)",
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

/** Returns the remedy for a throttled job: more CPUs or, if it works in bursts, a longer period or saved quota. */
function raiseCpus(
  limit: CauseLimit | undefined,
  { periods = 0, throttledPeriods = 0, ...times }: CauseCounts,
): Remedy[] {
  const [quota = 0, period = 100_000] = String(limit?.value ?? '')
    .split(' ')
    .map(Number)
  if (!(quota > 0)) return [{ option: { name: 'limits.cpus' }, reason: 'raise the limit' }]
  const { cpus, bursts, longer } = cpuNeed({ quota, period, periods, throttledPeriods, ...times })
  const more: Remedy = { option: { name: 'limits.cpus', value: String(cpus) }, reason: 'raise the limit' }
  if (!bursts) return [more]
  return [
    {
      option: { name: 'limits.cpu.max.burst', value: String(quota) },
      reason: 'its average use is below the limit: let it save quota for bursts,',
    },
    {
      option: { name: 'limits.cpu.max', value: `${longer.quota} ${longer.period}` },
      reason: 'use a longer period instead of the current limit,',
    },
    more,
  ]
}

/** Returns remedies for resource limits that may have made the program fail without a message. */
function possibleUlimits({ evidence }: Cause): Remedy[] {
  const figure = evidence.find((entry) => entry.figure === 'ulimits')
  if (figure?.figure !== 'ulimits') return []
  return figure.set.map(({ name }) => ({
    option: { name: `ulimits.${name}` as OptionKey, without: true as const },
    reason: 'to see whether this limit caused it, run it once',
  }))
}

/** For each option that can deny something: a remedy that shows in one run whether the option was the reason. */
const denialRemedies: { [D in Exclude<Denier, 'volume'>]: Remedy } = {
  seccomp: { option: { name: 'seccompReport' }, reason: 'to see each refused system call, run it once' },
  landlock: {
    option: { name: 'landlock', without: true },
    reason: 'to see whether a refused file caused it, run it once',
  },
  root: {
    option: { name: 'mounts.volume', value: 'PATH:PATH:ro' },
    reason: 'if the program lacks a file of the host, run it',
  },
  network: { option: { name: 'network', value: 'private' }, reason: 'if the program needs a network, run it' },
}

function possibleDenials({ evidence }: Cause): Remedy[] {
  return evidence.flatMap((entry) => {
    if (entry.figure !== 'denied') return []
    if (entry.by !== 'volume') return [denialRemedies[entry.by]]
    const reason = `if the program writes below ${entry.value}, run it`
    return [
      entry.owner === undefined
        ? { option: { name: 'seccomp' as const, value: 'strict' }, reason }
        : { option: { name: 'user' as const, value: String(entry.owner) }, reason },
    ]
  })
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
