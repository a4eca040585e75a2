// SPDX-License-Identifier: Apache-2.0
// The words for the end of a compiled file, written at compile time. They are describe() of sample causes, with slots for values that only
// the end knows. Called by compile/prepare.ts; pure.

import type { Program } from '../ops/ops.ts'
import type { Plan } from '../plan/plan.ts'
import { countsForksByLevel } from '../plan/processes.ts'
import { quote } from '../text/quote.ts'
import { formatSize, parseCpuCount, parseSize } from '../text/units.ts'
import { levelWouldTell, reasonWouldTell } from '../verdict/attribute.ts'
import type { Cause, CauseLimit, Figure, Remedy } from '../verdict/cause.ts'
import type { HeldLimit } from '../verdict/decide.ts'
import { deniedLine } from '../verdict/denied-words.ts'
import { explainExecFailure } from '../verdict/exec-failure.ts'
import { sizedSpaces } from '../verdict/exhausted.ts'
import { heldBy } from '../verdict/held-words.ts'
import { profileFigure, stopSignalOf, unknownSender } from '../verdict/make-cause.ts'
import { measuringLimit, spareMemory } from '../verdict/memory-need.ts'
import { deniedFigures, possibleUlimitFigure } from '../verdict/possible.ts'
import { type Measuring, makeRemedies } from '../verdict/remedies.ts'
import { omitUndefined } from '../verdict/usage.ts'
import { describe, type Slots, who } from '../verdict/words.ts'
import { type CompiledWords, groupPlaceholder, slots } from './file-format.ts'

const [first, second, third, fourth, fifth] = slots

/** Number that stands for a task limit known only at the job's end. A remedy can compute with it, and no host has so many tasks. */
const unknownTasks = 1_000_000_007

/** Number that stands for the memory limit, which is read at the job's end. No host has this much memory. */
const unknownBytes = 777 * 2 ** 40

/** Replaces the number for the memory limit, and the name of its group, by slots. */
function fillMemory(text: string): string {
  return text.replaceAll(`/${groupPlaceholder}`, fifth).replaceAll(formatSize(unknownBytes), fourth)
}

/** Replaces by slots: the ancestor whose limit was reached, the limit, and the larger limit in the remedy. */
function fillAbove(text: string): string {
  return text
    .replaceAll(`/${groupPlaceholder}`, second)
    .replaceAll(String(unknownTasks), fourth)
    .replaceAll(String(unknownTasks * 2), fifth)
}

const ofThisHost: Measuring = (limit) => measuringLimit(limit === unknownBytes ? 0 : limit, spareMemory())

/** Changes a remedy that measures a limit. A compiled file reports no peak, so the measuring run must be one of hutch run. */
function byRun(remedy: Remedy): Remedy {
  return remedy.measure && remedy.option ? { ...remedy, reason: `${remedy.reason} under hutch run` } : remedy
}

/** Returns the texts that native/compiled/verdict.c chooses from. */
export function compiledWordsOf(plan: Plan, program: Program, measuring: Measuring = ofThisHost): CompiledWords {
  const [command = ''] = plan.argv
  const bare: Cause = {
    kind: 'exited',
    command,
    end: { status: 1, signal: null },
    durationMs: 0,
    sideEvents: [],
    confidence: 'certain',
    remedies: [],
    evidence: [],
  }
  const parts = (some: Partial<Cause>, more: Slots = {}) => {
    const cause = { ...bare, ...some }
    const remedies = cause.remedies.length > 0 ? cause.remedies : makeRemedies(cause, plan, measuring).map(byRun)
    const { headline, evidence, remedy } = describe({ ...cause, remedies }, plan.spec.frontend, { end: third, ...more })
    const lines = [...evidence, ...(remedy ? [['remedy', remedy] as const] : [])]
    return [`hutch: ${headline}\n`, lines.map(([label, text]) => `  ${label.padEnd(11)}  ${text}\n`).join('')] as const
  }
  const fill = (some: Partial<Cause>, more?: Slots) => parts(some, more).join('')
  const headline = (some: Partial<Cause>, more?: Slots) => parts(some, more)[0]
  const limit = (file: string): CauseLimit => {
    const value = plan.spec.limits.find((entry) => entry.file === file)?.value
    const number = Number(value)
    return { file, level: 'own', ...(value !== undefined && { value: Number.isNaN(number) ? value : number }) }
  }
  const pids = limit('pids.max')
  const memory = memoryLimit(plan)
  // the larger limit to suggest is computed now, although the limit itself is read at the job's end
  const memoryAtEnd = { ...memory, value: unknownBytes }
  const memoryLine: Figure = { figure: 'memory', limit: memoryAtEnd, kills: 1 }
  const pidsLine: Figure = { figure: 'pids', limit: pids, denied: 1 }
  const oom = (more: Partial<Cause> = {}) => {
    const made: Cause = {
      ...bare,
      kind: 'oom',
      limit: memoryAtEnd,
      counts: { oomKills: 2 },
      evidence: [memoryLine],
      ...more,
    }
    return { ...made, remedies: makeRemedies({ ...made, limit: memory }, plan, measuring).map(byRun) }
  }
  const killed: Figure = { figure: 'memory', limit: { file: 'memory.max' }, kills: 1 }
  const ofLevel = (some: Partial<CauseLimit>) =>
    ({
      kind: some.level === 'host' ? 'host-oom' : 'oom',
      limit: { file: 'memory.max', ...some },
      counts: { oomKills: 2 },
      evidence: [killed],
    }) satisfies Partial<Cause>
  const group = `/${groupPlaceholder}`
  const unknown = {
    kind: 'oom',
    counts: { oomKills: 2 },
    remedies: [
      { option: { name: 'parent' }, reason: 'run it below another group' },
      { reason: 'free memory on this host' },
    ],
    evidence: [killed],
  } satisfies Partial<Cause>
  const levels = {
    UNKNOWN: unknown,
    OWN: oom(),
    BELOW: ofLevel({ level: 'below', group }),
    ABOVE: ofLevel({ level: 'ancestor', group, value: unknownBytes }),
    HOST: ofLevel({ level: 'host' }),
  }
  const forks = {
    kind: 'fork-refused',
    limit: pids,
    counts: { forksRefused: 2 },
    confidence: 'likely',
    wouldTell: reasonWouldTell,
    evidence: [pidsLine],
  } satisfies Partial<Cause>
  const forksAbove = {
    kind: 'fork-refused',
    limit: { file: 'pids.max', value: unknownTasks, group: `/${groupPlaceholder}`, level: 'ancestor' },
    counts: { forksRefused: 2 },
    confidence: 'likely',
    wouldTell: countsForksByLevel(plan) ? reasonWouldTell : levelWouldTell,
  } satisfies Partial<Cause>
  const forksUnknown = {
    ...forksAbove,
    limit: { file: 'pids.max', level: 'ancestor' },
    confidence: 'unknown',
    wouldTell: levelWouldTell,
  } satisfies Partial<Cause>
  const oomAlone = oom({ counts: { ooms: 1 }, evidence: [{ ...memoryLine, kills: 0 }] })
  const frozen = { kind: 'frozen', limit: { file: 'cgroup.freeze' } } satisfies Partial<Cause>
  const stopped = {
    kind: 'stopped',
    evidence: [{ figure: 'stopped', processes: 2 }],
  } satisfies Partial<Cause>
  const space = { kind: 'space', limit: { file: 'size', group: first } } as const
  const tables = { figure: 'descriptors', limit: 0, processes: 2 } as const
  const nofile = plan.spec.privileges.ulimits.find(({ name }) => name === 'nofile')
  const timeout = {
    kind: 'timeout',
    limit: { file: 'timeout', value: plan.spec.timeoutMs },
    ...stopSignalOf(plan),
  } as const
  const late = (held: Partial<Cause>, more: Slots = {}) =>
    parts(
      {
        ...timeout,
        ...(held.evidence && { evidence: held.evidence }),
        ...(held.remedies && { remedies: held.remedies }),
        sideEvents: [{ confidence: 'likely', kind: held.kind!, ...(held.limit && { limit: held.limit }) }],
      },
      more,
    )[1]
  const heldFiles = { ...plannedLimits(plan), 'memory.max': memoryAtEnd }
  const held = (file: HeldLimit) => {
    const of = file.endsWith('.pressure') ? { file } : heldFiles[file]
    return of && ({ kind: file === 'cpu.max' ? 'throttled' : 'slowed', limit: of } satisfies Partial<Cause>)
  }
  const heldPhrase = (file: HeldLimit) => {
    const found = held(file)
    if (!found) return ''
    const slots = { throttledPercent: first, slowed: first, stalledPercent: first }
    const phrase = heldBy({ sideEvents: [{ ...found, confidence: 'likely' }] }, slots)
    return phrase.replaceAll(formatSize(unknownBytes), second)
  }
  const heldLines = (file: HeldLimit) => {
    const found = held(file)
    return found ? late(file === 'memory.max' ? { ...found, limit: memory } : found) : ''
  }
  const still = ({ kind = 'stopped', limit, counts }: Partial<Cause>) =>
    heldBy({ sideEvents: [{ kind, ...omitUndefined({ limit, counts }), confidence: 'likely' }] }, {})
  const cpu = plan.spec.privileges.ulimits.find(({ name }) => name === 'cpu')
  const hard = cpu !== undefined && cpu.hard >= 0 ? cpu.hard : undefined
  const ulimit = (short: string) => {
    const found = plan.spec.privileges.ulimits.find((entry) => entry.name === short)
    if (!found || found.soft < 0) return ''
    return fill({ kind: 'ulimit', limit: { file: `RLIMIT_${short.toUpperCase()}`, value: found.soft } })
  }
  const denied = deniedFigures(plan)
  const possible = [...possibleUlimitFigure(plan), ...denied]
  const noKill: Figure[] = [{ figure: 'no kill' }]
  // where the signal came from, for a job whose first process ended before it could report the command's end
  const lost = plan.isolate.includes('pid') ? 'outside' : 'unknown'
  const signal = (from: 'inside' | 'outside' | 'unknown', more: Figure[] = []) =>
    fill({
      kind: 'signal',
      end: { status: null, signal: 'SIGTERM', from },
      evidence: [...possible, ...more],
      ...(from === 'unknown' && unknownSender),
    })
  const exec = (some: Partial<Cause>) => fill({ kind: 'exec-failed', ...some })
  const kills = { count: first, kills: second }
  return {
    NAME: who({ command }),
    STOPPED: headline(timeout, { held: fourth }),
    KILLED: headline({ ...timeout, killedAfterMs: plan.spec.killAfterMs }, { held: fourth }),
    HELD_MEMORY_HIGH: heldPhrase('memory.high'),
    HELD_MEMORY_MAX: heldPhrase('memory.max'),
    HELD_CPU_MAX: heldPhrase('cpu.max'),
    HELD_CPUSET_CPUS: heldPhrase('cpuset.cpus'),
    HELD_IO_MAX: heldPhrase('io.max'),
    HELD_MEMORY_PRESSURE: heldPhrase('memory.pressure'),
    HELD_IO_PRESSURE: heldPhrase('io.pressure'),
    HELD_FROZEN: still(frozen),
    HELD_STOPPED: still(stopped),
    HELD_OOM_NONE: still(oomAlone).replaceAll(formatSize(unknownBytes), second),
    LATE: parts(timeout)[1],
    LATE_MEMORY_HIGH: heldLines('memory.high'),
    LATE_MEMORY_MAX: heldLines('memory.max'),
    LATE_CPU_MAX: heldLines('cpu.max'),
    LATE_CPUSET_CPUS: heldLines('cpuset.cpus'),
    LATE_IO_MAX: heldLines('io.max'),
    LATE_MEMORY_PRESSURE: heldLines('memory.pressure'),
    LATE_IO_PRESSURE: heldLines('io.pressure'),
    LATE_OOM_UNKNOWN: fillMemory(late(levels.UNKNOWN, kills)),
    LATE_OOM_OWN: fillMemory(late(levels.OWN, kills)),
    LATE_OOM_BELOW: fillMemory(late(levels.BELOW, kills)),
    LATE_OOM_ABOVE: fillMemory(late(levels.ABOVE, kills)),
    LATE_OOM_HOST: fillMemory(late(levels.HOST, kills)),
    LATE_OOM_NONE: fillMemory(late(oomAlone)),
    LATE_FROZEN: late(frozen),
    LATE_STOPPED: late(stopped, { stopped: first }),
    LATE_PIDS: late(forks, { denied: second }),
    LATE_PIDS_ABOVE: fillAbove(late(forksAbove)),
    LATE_PIDS_UNKNOWN: late(forksUnknown),
    LATE_SPACE: late({ ...space, evidence: [{ figure: 'space', target: first, options: [] }] }),
    LATE_TABLES: late(
      {
        kind: 'descriptors',
        ...(nofile && { limit: { file: 'RLIMIT_NOFILE', value: nofile.soft } }),
        evidence: [tables],
      },
      { tableLimit: first, tables: second },
    ),
    OOM_UNKNOWN: fillMemory(fill(levels.UNKNOWN, kills)),
    OOM_OWN: fillMemory(fill(levels.OWN, kills)),
    OOM_BELOW: fillMemory(fill(levels.BELOW, kills)),
    OOM_ABOVE: fillMemory(fill(levels.ABOVE, kills)),
    OOM_HOST: fillMemory(fill(levels.HOST, kills)),
    OOM_ALL: fillMemory(fill(oom({ counts: {}, evidence: [{ ...memoryLine, kills: 0 }] }))),
    OOM_NONE: fillMemory(fill(oomAlone)),
    PIDS: fill(forks, { count: first, denied: second }),
    PIDS_ABOVE: fillAbove(fill(forksAbove, { count: first })),
    PIDS_UNKNOWN: fill(forksUnknown, { count: first }),
    SPACE: fill(space),
    SPACES: sizedSpaces(program)
      .map(({ target }) => quote(target))
      .join('\n'),
    ULIMIT_FSIZE: ulimit('fsize'),
    ULIMIT_CPU: ulimit('cpu'),
    ULIMIT_CPU_KILL: hard === undefined ? '' : fill({ kind: 'ulimit', limit: { file: 'RLIMIT_CPU', value: hard } }),
    ULIMIT_CPU_HARD: hard === undefined ? '' : String(hard),
    FILTER: plan.filter ? fill({ kind: 'filter', evidence: profileFigure(plan) }) : '',
    INTERRUPTED: fill({ kind: 'interrupted', passedOn: [first] }),
    SIGNAL_INSIDE: signal('inside'),
    SIGNAL_OUTSIDE: signal(lost),
    SIGNAL_UNKNOWN: signal('unknown'),
    KILLED_OUTSIDE: signal(lost, noKill),
    KILLED_UNKNOWN: signal('unknown', noKill),
    NOT_FOUND: exec({ errno: 'ENOENT' }),
    NOT_INSIDE: plan.spec.root ? notInside(plan) : '',
    NOT_EXECUTABLE: exec({ errno: first }),
    INTERPRETER: `hutch: cannot run ${quote(plan.argv[0]!)}: the interpreter that it names does not exist (ENOENT)\n  interpreter  ${slots[1]}\n  remedy       install the interpreter, or correct the first line of the script\n`,
    DENIED: denied.length > 0 ? deniedLine(denied, third) : '',
    UNKILLABLE: plan.spec.privileges.oomScoreAdj === -1000 && plan.layout !== 'v2' ? '1' : '',
    CPUS: String(parseCpuCount(String(heldFiles['cpuset.cpus']?.value ?? '')) || ''),
    ROOT: plan.spec.root?.sealed ? '' : (plan.spec.root?.directory ?? ''),
  }
}

/** Returns the job's memory limit, under the name of the option that requested it. */
function memoryLimit({ spec }: Plan): CauseLimit {
  const limit = spec.limits.find(({ file }) => file === 'memory.max' || file === 'memory.limit_in_bytes')
  const value = limit && parseSize(limit.value)
  return { file: limit?.file ?? 'memory.max', level: 'own', ...(typeof value === 'number' && { value }) }
}

/** Returns those limits of the plan that slow a job without ending it. */
function plannedLimits({ spec }: Plan): { [file in HeldLimit]?: CauseLimit } {
  const planned = (...starts: string[]): CauseLimit | undefined => {
    const limit = spec.limits.find(({ file }) => starts.some((start) => file.startsWith(start)))
    if (!limit) return undefined
    const size = limit.file.startsWith('memory.') ? parseSize(limit.value) : limit.value
    return { file: limit.file, level: 'own', ...(size !== undefined && size !== 'max' && { value: size }) }
  }
  const found = {
    'memory.high': planned('memory.high'),
    'cpu.max': planned('cpu.max', 'cpu.cfs_quota_us'),
    'cpuset.cpus': planned('cpuset.cpus'),
    'io.max': planned('io.max', 'blkio.throttle.'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, limit]) => limit !== undefined))
}

/**
 * Returns the words for a program that exists on the host but not in the job's root. A slot in them stands for the program's path on the
 * host.
 */
function notInside({ argv, spec }: Plan): string {
  const path = `/${groupPlaceholder}`
  const { headline, remedy } = explainExecFailure({
    command: argv[0]!,
    errno: 'ENOENT',
    looks: [],
    onHost: { path, volumes: [path] },
    searchPath: '',
    frontend: spec.frontend,
    ownRoot: true,
    filtered: false,
    landlock: false,
    arch: '',
    outside: (at) => at,
  })
  return `hutch: ${headline}\n  remedy       ${remedy}\n`.replaceAll(path, first)
}
