// SPDX-License-Identifier: Apache-2.0
// Finds a container by its id, also a short one, in the directories of all callers, and explains it. Called by hutch why.

import { isContainerId } from '../../container/state.ts'
import { containerStatus } from '../../container/status.ts'
import { listContainers, readContainer } from '../../container/store.ts'
import { fail, HutchError } from '../../errors/errors.ts'
import { resolve } from '../../system/paths.ts'
import { quote } from '../../text/quote.ts'
import type { Explanation } from '../../why/explanation.ts'
import { formatTime } from '../../why/memory.ts'
import type { OciDetails, OciState } from '../lifecycle/details.ts'
import { listEnds, readEnd } from './end-record.ts'
import { explainContainer, explainPlainEnd } from './explain-container.ts'
import { knownRoots } from './known-roots.ts'

/** A container that exists, or the record of a deleted one. */
interface Found {
  root: string
  id: string
  explain(): Explanation
}

/** Minimum length of a shortened id. */
const minLength = 4

/**
 * Explains a container by its whole id, or with `shortened` by the beginning of one. Searches all known roots, or the one
 * that is given. A container that exists takes precedence over a record. Returns undefined if there is no such container.
 *
 * @throws CONTAINER_AMBIGUOUS, END_RECORD_INVALID
 */
export function explainById(name: string, given: string | undefined, shortened: boolean): Explanation | undefined {
  if (!isContainerId(name) || (shortened && name.length < minLength)) return undefined
  const roots = given === undefined ? knownRoots() : [resolve(given)]
  const fits = (id: string) => (shortened ? id.startsWith(name) : id === name)
  const living = roots.flatMap((root) =>
    idsIn(root)
      .filter(fits)
      .flatMap((id) => findLiving(root, id)),
  )
  const found =
    living.length > 0
      ? living
      : roots.flatMap((root) =>
          listEnds(root)
            .filter(fits)
            .map((id) => ended(root, id)),
        )
  if (found.length > 1)
    throw fail('CONTAINER_AMBIGUOUS', { name, found: found.map(({ root, id }) => `${id} in ${root}`) })
  return found[0]?.explain()
}

function idsIn(root: string): string[] {
  try {
    return listContainers(root)
  } catch (error) {
    // not a directory, or one of another user
    if (HutchError.is(error)) return []
    throw error
  }
}

/** Returns a container of this runtime. Other runtimes keep theirs in the same directories. */
function findLiving(root: string, id: string): Found[] {
  let state: OciState
  try {
    state = readContainer<OciDetails>(root, id)
  } catch (error) {
    if (HutchError.is(error)) return []
    throw error
  }
  if (!isWhole(state)) return []
  return [{ root, id, explain: () => explainContainer(root, state, containerStatus(root, state)) }]
}

/** Checks the fields of a state that another user may have written. */
function isWhole({ groups, annotations, created, details }: Partial<OciState>): boolean {
  const isObject = (value: unknown): value is { [key: string]: unknown } => typeof value === 'object' && value !== null
  return (
    Array.isArray(groups) &&
    groups.every((place: unknown) => isObject(place) && typeof place.directory === 'string') &&
    isObject(annotations) &&
    Object.values(annotations!).every((text) => typeof text === 'string') &&
    typeof created === 'string' &&
    isObject(details)
  )
}

function ended(root: string, id: string): Found {
  return {
    root,
    id,
    explain: () => {
      const { bundle, ended, plain, explanation: kept } = readEnd(root, id)
      const explanation = plain ? explainPlainEnd(root, id, plain) : kept!
      const [cause, ...rest] = explanation.causes
      const at = Date.parse(ended)
      const when = Number.isNaN(at) ? '' : `${formatTime(at)}, `
      const line: [string, string] = ['deleted', `${when}with the bundle ${quote(bundle)}`]
      return { ...explanation, causes: [{ ...cause!, evidence: [...cause!.evidence, line] }, ...rest] }
    },
  }
}
