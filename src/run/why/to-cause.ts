// SPDX-License-Identifier: Apache-2.0
// What `why` found, as the Cause that results and reports have. Called by why.ts; pure.
import type { Cause, CauseCounts, CauseKind, CauseLimit } from '../../verdict/cause.ts'
import { without } from '../../verdict/usage.ts'
import type { Explanation, WhyCause } from './explanation.ts'

const kinds: { [found in WhyCause['cause']]: CauseKind } = {
  'not-found': 'exec-failed',
  'not-executable': 'exec-failed',
  timeout: 'timeout',
  'cpu-time': 'cpu-time',
  output: 'output',
  aborted: 'aborted',
  oom: 'oom',
  oomd: 'oomd',
  pids: 'fork-refused',
  space: 'space',
  'disk-full': 'space',
  throttled: 'throttled',
  slowed: 'slowed',
  fault: 'signal',
  signal: 'signal',
  exit: 'exited',
  stuck: 'unknown',
  'not-kernel': 'unknown',
  none: 'unknown',
  unknown: 'unknown',
}

/** How often, by the name that a Cause has for it. */
const countNames: { [K in CauseKind]?: keyof CauseCounts } = {
  oom: 'oomKills',
  'host-oom': 'oomKills',
  'fork-refused': 'forksRefused',
  throttled: 'throttledPeriods',
  slowed: 'slowed',
}

/** Returns the weightiest cause. Of a report of version 2 that is its own. */
export function toCause({ target, causes, unknown }: Omit<Explanation, 'cause'>): Cause {
  const [first, ...rest] = causes.map(convert)
  return {
    ...first!,
    command: target.name,
    end: { status: null, signal: null },
    sideEvents: rest.filter(({ kind }) => kind !== 'unknown'),
    ...(first!.confidence !== 'certain' && unknown[0] !== undefined && { wouldTell: unknown[0] }),
    remedies: causes[0]!.remedy === undefined ? [] : [{ reason: causes[0]!.remedy }],
    evidence: [],
  }
}

function convert(found: WhyCause): Pick<Cause, 'kind' | 'limit' | 'counts' | 'victims' | 'confidence'> {
  const kind = found.cause === 'oom' && found.whose === 'host' ? 'host-oom' : kinds[found.cause]
  const count = countNames[kind]
  const limit: CauseLimit | undefined =
    found.limit === undefined
      ? undefined
      : { file: found.limit, ...without({ value: found.maximum, group: found.group, level: found.whose }) }
  const victims = found.victims?.map(({ pid, name, anon, file, shmem }) => ({ pid, name, anon, file, shmem }))
  // a limit without a group was found full, and the kernel has not told whose it is
  const sure =
    kind !== 'unknown' && (found.limit === undefined || found.whose !== undefined || found.cause === 'timeout')
  return {
    kind,
    ...without({ limit, victims }),
    ...(count !== undefined && found.count !== undefined && { counts: { [count]: found.count } }),
    confidence: kind === 'unknown' ? 'unknown' : sure ? 'certain' : 'likely',
  }
}
