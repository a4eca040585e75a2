// SPDX-License-Identifier: Apache-2.0
// Converts the findings of `why` to a Cause, as in results and reports. Called by why.ts. Pure.
import type { Cause, CauseCounts, CauseKind, CauseLimit, SideEvent } from '../verdict/cause.ts'
import { omitUndefined } from '../verdict/usage.ts'
import type { Explanation, WhyCause } from './explanation.ts'

/** The name of the count in a Cause, for each kind. */
const countNames: { [K in CauseKind]?: keyof CauseCounts } = {
  oom: 'oomKills',
  'host-oom': 'oomKills',
  'fork-refused': 'forksRefused',
  throttled: 'throttledPeriods',
  slowed: 'slowed',
}

/** Kinds which mean that nothing was found. They are never listed as side events. */
const empty = new Set<CauseKind>(['unknown', 'running', 'not-kernel'])

/**
 * Returns the most important cause, with the other causes as its side events. For a report of version 2, returns the
 * report's own cause.
 */
export function toCause({ target, causes, unknown }: Omit<Explanation, 'cause'>): Cause {
  const [first, ...rest] = causes
  const wouldTell = first!.wouldTell ?? unknown[0]
  return {
    ...convert(first!),
    command: target.name,
    end: first!.end ?? { status: null, signal: null },
    ...omitUndefined({ peak: first!.peak }),
    sideEvents: rest.filter(({ kind }) => !empty.has(kind)).map(convert),
    ...(first!.confidence !== 'certain' && wouldTell !== undefined && { wouldTell }),
    remedies: first!.remedy === undefined ? [] : [{ reason: first!.remedy }],
    evidence: [],
  }
}

function convert(found: WhyCause): SideEvent {
  const { kind, confidence, limit: file, maximum, group, whose, count } = found
  const countName = countNames[kind]
  const limit: CauseLimit | undefined =
    file === undefined
      ? kind === 'host-oom'
        ? { file: 'memory.max', level: 'host' }
        : undefined
      : { file, ...omitUndefined({ value: maximum, group, level: whose }) }
  const victims = found.victims?.map(({ pid, name, anon, file, shmem }) => ({ pid, name, anon, file, shmem }))
  const counts = countName === undefined || count === undefined ? undefined : { [countName]: count }
  return { kind, ...omitUndefined({ limit, counts, victims }), confidence }
}
