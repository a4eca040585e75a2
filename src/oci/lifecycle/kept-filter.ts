// SPDX-License-Identifier: Apache-2.0
// Keeps compiled filters of system calls for the next containers with the same profile. Compiling takes a third of the
// time of `create`, and the profiles of an engine's containers seldom differ.

import { keepFile, readOwnFile } from '../../container/own-file.ts'
import { readHost } from '../../host/host.ts'
import type { Spec } from '../../options/spec.ts'
import { loadFilter } from '../../run/load-parsers.ts'
import type { FilterMaker } from '../../seccomp/make-filter.ts'
import type { SeccompFilter } from '../../seccomp/profile.ts'

declare const HUTCH_VERSION: string

const kept = { name: '.filters', most: 50 } as const
const maxBytes = 4 << 20

/** Returns a function that gives the filter of a Spec, if it has one: a kept filter, or a new one, which is then kept. */
export async function loadKeptFilter(root: string, spec: Spec): Promise<FilterMaker | undefined> {
  if (!spec.seccomp) return undefined
  const key = keyOf(spec)
  if (key === undefined) return loadFilter(spec)
  const name = nameOf(key)
  const found = readKept(`${root}/${kept.name}/${name}`, key)
  if (found) return () => found
  const make = await loadFilter(spec)
  return (
    make &&
    ((facts) => {
      const filter = make(facts)
      // without the file, the next container compiles the filter again
      tryKeep(() => keepFile(root, kept, name, `${key}\n${JSON.stringify(filter)}`))
      return filter
    })
  )
}

/** Returns everything that the compiled filter depends on; undefined if that cannot be written as JSON. */
function keyOf({ seccomp, container }: Spec): string | undefined {
  if (!seccomp || !('profile' in seccomp)) return undefined
  const { kernel } = readHost()
  try {
    return JSON.stringify([HUTCH_VERSION, process.arch, kernel, container?.capabilities?.bounding ?? null, seccomp])
  } catch {
    // a number of 64 bits
    return undefined
  }
}

/** The beginning of a key has everything but the profile. */
const headLength = 100

/**
 * Returns the name of a key's file. Of a profile it has only a sample, which is faster. Keys with the same name replace
 * each other.
 */
function nameOf(key: string): string {
  let sum = 0
  for (let at = 0; at < key.length; at += at < headLength ? 1 : 13)
    sum = (Math.imul(sum, 31) + key.charCodeAt(at)) >>> 0
  return `${key.length}-${sum}`
}

function readKept(path: string, key: string): SeccompFilter | undefined {
  try {
    const text = readOwnFile(path, maxBytes)
    if (!text.startsWith(key) || text[key.length] !== '\n') return undefined
    return JSON.parse(text.slice(key.length + 1)) as SeccompFilter
  } catch {
    return undefined
  }
}

function tryKeep(keep: () => void): void {
  try {
    keep()
  } catch {
    // no space, or the root of another user
  }
}
