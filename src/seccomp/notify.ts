// SPDX-License-Identifier: Apache-2.0
// Changes a filter so that it notifies a listener of each refused call (SECCOMP_RET_USER_NOTIF). Also finds the rule
// that refused a call. Pure.
import { capabilityName } from '../credentials/capability.ts'
import { commonCalls } from './common-calls.ts'
import { defaultGroups } from './default.ts'
import { actions, type ProfileFacts } from './profile.ts'
import type { Group } from './rule-builders.ts'
import { left, strictGroups } from './strict.ts'

const returns = 0x06

/**
 * Returns the filter with errors and kills replaced by notifications. SCMP_ACT_TRAP stays, because a listener cannot
 * cause its signal. SCMP_ACT_TRACE stays, because it is meant for a tracer.
 */
export function noticed(words: readonly number[]): number[] {
  const watched: readonly number[] = [actions.errno, actions.killThread, actions.killProcess]
  return words.map((word, i) => {
    const isAnswer = i % 2 === 1 && (words[i - 1]! & 0xffff) === returns
    return isAnswer && watched.includes((word & 0xffff_0000) >>> 0) ? actions.notify : word
  })
}

/** A filter that notifies the listener of every system call. */
export const allNoticed = [returns, actions.notify]
/** A filter that allows every system call. */
export const allPass = [returns, actions.allow]

/** Returns the rule of one of hutch's own profiles that refused a call, or the reason. */
export function ownRule(
  profile: 'default' | 'strict',
  { capabilities }: Pick<ProfileFacts, 'capabilities'>,
  call: string,
): string {
  const names = (group: Group) => group.calls.trim().split(/\s+/).includes(call)
  const explain = (text: string) => `${profile}: ${text}`
  if (profile === 'strict') {
    const reason = Object.keys(left).find((why) => left[why]!.trim().split(/\s+/).includes(call))
    if (reason !== undefined) return explain(reason)
  }
  const groups = (profile === 'strict' ? strictGroups : [...commonCalls, ...defaultGroups]).filter(names)
  const refusing = groups.find(({ action }) => action !== undefined)
  if (refusing && !refusing.when) return explain(refusing.why)
  const conditional = groups.find(({ when }) => when !== undefined)
  const missing = groups
    .flatMap(({ includes }) => includes?.capabilities ?? [])
    .filter((one) => !capabilities.includes(one))
  if (conditional) return explain(`only ${conditional.why}`)
  if (missing.length > 0) return explain(`takes ${capabilityName(missing[0]!)}`)
  return explain('not in its list')
}

/** Returns the position, in a user's profile, of the rule that refused a call. */
export function foreignRule(document: unknown, call: string): string {
  const list = (document as { syscalls?: unknown }).syscalls
  const entries = (Array.isArray(list) ? list : []) as { name?: unknown; names?: unknown; action?: unknown }[]
  const places = entries.flatMap((entry, i) => {
    const named = entry.name === call || (Array.isArray(entry.names) && entry.names.includes(call))
    return named ? [{ i, allows: entry.action === 'SCMP_ACT_ALLOW' }] : []
  })
  const refusing = places.find(({ allows }) => !allows)
  if (refusing) return `syscalls[${refusing.i}]`
  return places[0] ? `defaultAction: syscalls[${places[0].i}] does not fit` : 'defaultAction'
}
