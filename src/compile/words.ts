// SPDX-License-Identifier: Apache-2.0
// The words for the end of a compiled file, written at compile time. They are describe() of sample causes, with slots for values that only
// the end knows. Called by compile/prepare.ts; pure.

import type { Program } from '../ops/ops.ts'
import { countsForksByLevel } from '../plan/compile.ts'
import type { Plan } from '../plan/plan.ts'
import { quote } from '../text/quote.ts'
import { levelWouldTell } from '../verdict/attribute.ts'
import type { Cause, CauseLimit, Figure, Remedy } from '../verdict/cause.ts'
import { sizedSpaces } from '../verdict/exhausted.ts'
import { profileFigure, stopSignalOf, unknownSender } from '../verdict/make-cause.ts'
import { measuringLimit, spareMemory } from '../verdict/memory-need.ts'
import { possibleUlimitFigure } from '../verdict/possible.ts'
import { type Measuring, makeRemedies } from '../verdict/remedies.ts'
import { describe, type Slots, who } from '../verdict/words.ts'
import { type CompiledWords, groupPlaceholder, slots } from './file-format.ts'

const [first, second, third, fourth, fifth] = slots

/** Stands for a value that only the end knows, so that a remedy computes with it: no host can have so many tasks. */
const unknownTasks = 1_000_000_007

/** Puts slots into the words for a limit of a group above: its group, its value, and the value in its remedy. */
function fillAbove(text: string): string {
  return text
    .replaceAll(`/${groupPlaceholder}`, second)
    .replaceAll(String(unknownTasks), fourth)
    .replaceAll(String(unknownTasks * 2), fifth)
}

const ofThisHost: Measuring = (limit) => measuringLimit(limit, spareMemory())

/** A compiled file has the limits that it was compiled with, and does not tell a peak. */
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
    const { headline, evidence, remedy } = describe({ ...cause, remedies }, plan.spec.door, { end: third, ...more })
    const lines = [...evidence, ...(remedy ? [['remedy', remedy] as const] : [])]
    return [`hutch: ${headline}\n`, lines.map(([label, text]) => `  ${label.padEnd(11)}  ${text}\n`).join('')] as const
  }
  const say = (some: Partial<Cause>, more?: Slots) => parts(some, more).join('')
  const headline = (some: Partial<Cause>, more?: Slots) => parts(some, more)[0]
  const limit = (file: string): CauseLimit => {
    const value = plan.spec.limits.find((entry) => entry.file === file)?.value
    const number = Number(value)
    return { file, level: 'own', ...(value !== undefined && { value: Number.isNaN(number) ? value : number }) }
  }
  const [memory, pids] = [limit('memory.max'), limit('pids.max')]
  const memoryLine: Figure = { figure: 'memory', limit: memory, kills: 1 }
  const pidsLine: Figure = { figure: 'pids', limit: pids, denied: 1 }
  const oom = { kind: 'oom', limit: memory, counts: { oomKills: 2 }, evidence: [memoryLine] } satisfies Partial<Cause>
  const above = {
    kind: 'oom',
    counts: { oomKills: 2 },
    remedies: [
      { option: { name: 'parent' }, reason: 'run it below another group' },
      { reason: 'free memory on this host' },
    ],
    evidence: [{ figure: 'memory', limit: { file: 'memory.max' }, kills: 1 }],
  } satisfies Partial<Cause>
  const forks = {
    kind: 'fork-refused',
    limit: pids,
    counts: { forksRefused: 2 },
    evidence: [pidsLine],
  } satisfies Partial<Cause>
  const forksAbove = {
    kind: 'fork-refused',
    limit: { file: 'pids.max', value: unknownTasks, group: `/${groupPlaceholder}`, level: 'ancestor' },
    counts: { forksRefused: 2 },
    ...(!countsForksByLevel(plan) && { confidence: 'likely', wouldTell: levelWouldTell }),
  } satisfies Partial<Cause>
  const forksUnknown = {
    ...forksAbove,
    limit: { file: 'pids.max', level: 'ancestor' },
    confidence: 'unknown',
    wouldTell: levelWouldTell,
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
  const killed = { ...timeout, killedAfterMs: plan.spec.killAfterMs }
  const held = (kind: 'throttled' | 'slowed') =>
    ({ sideEvents: [{ kind, confidence: 'likely', limit: heldLimits[kind] }] }) satisfies Partial<Cause>
  const heldLimits = { throttled: limit('cpu.max'), slowed: limit('memory.high') }
  const cpu = plan.spec.privileges.ulimits.find(({ name }) => name === 'cpu')
  const hard = cpu !== undefined && cpu.hard >= 0 ? cpu.hard : undefined
  const ulimit = (short: string) => {
    const found = plan.spec.privileges.ulimits.find((entry) => entry.name === short)
    if (!found || found.soft < 0) return ''
    return say({ kind: 'ulimit', limit: { file: `RLIMIT_${short.toUpperCase()}`, value: found.soft } })
  }
  const possible = possibleUlimitFigure(plan)
  const noKill: Figure[] = [{ figure: 'no kill' }]
  // of a job whose first process ended before it could report the command's end
  const lost = plan.isolate.includes('pid') ? 'outside' : 'unknown'
  const signal = (from: 'inside' | 'outside' | 'unknown', more: Figure[] = []) =>
    say({
      kind: 'signal',
      end: { status: null, signal: 'SIGTERM', from },
      evidence: [...possible, ...more],
      ...(from === 'unknown' && unknownSender),
    })
  const exec = (some: Partial<Cause>) => say({ kind: 'exec-failed', ...some })
  const kills = { count: first, kills: second }
  return {
    NAME: who({ command }),
    STOPPED: headline(timeout),
    STOPPED_THROTTLED: headline({ ...timeout, ...held('throttled') }, { throttledPercent: first }),
    STOPPED_SLOWED: headline({ ...timeout, ...held('slowed') }, { slowed: first }),
    KILLED: headline(killed),
    KILLED_THROTTLED: headline({ ...killed, ...held('throttled') }, { throttledPercent: first }),
    KILLED_SLOWED: headline({ ...killed, ...held('slowed') }, { slowed: first }),
    LATE: parts(timeout)[1],
    LATE_OOM_OWN: late(oom, kills),
    LATE_OOM_ABOVE: late(above, kills),
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
    LATE_THROTTLED: late({ kind: 'throttled', limit: heldLimits.throttled }),
    LATE_SLOWED: late({ kind: 'slowed', limit: heldLimits.slowed }),
    OOM_OWN: say(oom, kills),
    OOM_ABOVE: say(above, kills),
    OOM_ALL: say({ ...oom, counts: {}, evidence: [{ ...memoryLine, kills: 0 }] }),
    OOM_NONE: say({ ...oom, counts: { ooms: 1 }, evidence: [{ ...memoryLine, kills: 0 }] }),
    PIDS: say(forks, { count: first, denied: second }),
    PIDS_ABOVE: fillAbove(say(forksAbove, { count: first })),
    PIDS_UNKNOWN: say(forksUnknown, { count: first }),
    SPACE: say(space),
    SPACES: sizedSpaces(program)
      .map(({ target }) => quote(target))
      .join('\n'),
    ULIMIT_FSIZE: ulimit('fsize'),
    ULIMIT_CPU: ulimit('cpu'),
    ULIMIT_CPU_KILL: hard === undefined ? '' : say({ kind: 'ulimit', limit: { file: 'RLIMIT_CPU', value: hard } }),
    ULIMIT_CPU_HARD: hard === undefined ? '' : String(hard),
    FILTER: plan.filter ? say({ kind: 'filter', evidence: profileFigure(plan) }) : '',
    INTERRUPTED: say({ kind: 'interrupted', passedOn: [first] }),
    SIGNAL_INSIDE: signal('inside'),
    SIGNAL_OUTSIDE: signal(lost),
    SIGNAL_UNKNOWN: signal('unknown'),
    KILLED_OUTSIDE: signal(lost, noKill),
    KILLED_UNKNOWN: signal('unknown', noKill),
    NOT_FOUND: exec({ errno: 'ENOENT' }),
    NOT_EXECUTABLE: exec({ errno: first }),
    INTERPRETER: `hutch: cannot run ${quote(plan.argv[0]!)}: the interpreter that it names does not exist (ENOENT)\n  interpreter  ${slots[1]}\n  remedy       install the interpreter, or correct the first line of the script\n`,
    ROOT: plan.spec.root?.sealed ? '' : (plan.spec.root?.directory ?? ''),
  }
}
