// SPDX-License-Identifier: Apache-2.0
// Compiles a filter that reports refused calls, or with `learn` all calls. Loaded only by runs that request such a
// report.
import { families } from './arch.ts'
import { machineOfNode } from './builtin.ts'
import { argumentMasks } from './call-arguments.ts'
import { type FilterSource, loadProfileFilter, readDocument } from './load-profile.ts'
import type { CallReader, Calls, FilterMaker } from './make-filter.ts'
import { decodeCounts, decodeRefused, learnedProfile } from './notification.ts'
import { allNoticed, allPass, foreignRule, noticed, ownRule } from './notify.ts'
import type { ProfileFacts, SeccompFilter } from './profile.ts'

/**
 * Returns the function that compiles the filter, and with it the reader of its notifications.
 *
 * @throws SECCOMP_PROFILE_INVALID, FILE_REFUSED, HOST_UNSUPPORTED
 */
export function readSupervised(
  source: FilterSource | undefined,
  origin: string,
  learns: boolean,
): FilterMaker & { reader: CallReader } {
  const machine = (machineOfNode[process.arch] ?? '') as 'x86_64' | 'aarch64'
  const profileFilter = learns || !source ? undefined : loadProfileFilter(source, origin)
  const document = source && !learns && !('own' in source) ? readDocument(source, origin) : undefined
  let known: Pick<ProfileFacts, 'capabilities'> = { capabilities: [] }
  const rule = (call: string) =>
    source && 'own' in source ? ownRule(source.own, known, call) : foreignRule(document, call)
  const maker = (facts: Omit<ProfileFacts, 'machine'>): SeccompFilter => {
    known = facts
    const { words, flags } = profileFilter?.(facts) ?? { words: allPass, flags: 0 }
    return {
      words,
      flags,
      supervise: {
        noticed: learns ? allNoticed : noticed(words),
        arguments: learns ? [] : argumentMasks(machine),
        learns,
      },
    }
  }
  const calls: Calls = { refused: [], others: 0 }
  const take = (which: number, bytes: Buffer) => {
    if (which >= 0) {
      const call = decodeRefused(bytes, rule)
      calls.refused[which] = call
      return call
    }
    if (which === -2) calls.learned = learnedProfile(bytes, families[machine]!)
    else {
      const counts = decodeCounts(bytes)
      calls.others = counts.pop() ?? 0
      for (const [i, count] of counts.entries()) if (calls.refused[i]) calls.refused[i].count = count
    }
    return undefined
  }
  return Object.assign(maker, { reader: { calls, take } })
}
