// SPDX-License-Identifier: Apache-2.0
// Keeps why containers ended: a record of each deleted container in ROOT/.ended/.

import { readMany } from '../../cgroup/files.ts'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from '../../system/files.ts'
import type { Cause } from '../../verdict/cause.ts'
import type { Explanation } from '../../why/explanation.ts'
import type { OciState } from './details.ts'

/** Directory of the records. No id of a container begins with a dot. */
const endedDirectory = '.ended'

/** The number of records that are kept, the newest. */
const keptAtMost = 200

/** What is known of a deleted container. */
interface EndRecord {
  version: 1
  id: string
  bundle: string
  /** Time of the deletion: RFC 3339 in UTC. */
  ended: string
  /** The group that the explanation is about. */
  group?: string
  cause: Cause
  explanation?: Explanation
}

const unknownEnd: Cause = {
  kind: 'unknown',
  confidence: 'unknown',
  end: { status: null, signal: null },
  command: '',
  sideEvents: [],
  remedies: [],
  evidence: [],
}

/** Files that count what the kernel refused, and their counters. */
const counters: readonly (readonly [file: string, counter: RegExp])[] = [
  ['memory.events', /^oom_kill [1-9]/m],
  ['memory.oom_control', /^oom_kill [1-9]/m],
  ['pids.events', /^max [1-9]/m],
]

/** Reads the figures of a container's groups and writes its record. Must run before the groups are removed. */
export async function keepEnd(root: string, { id, groups, details: { bundle } }: OciState): Promise<void> {
  const texts = readMany(
    groups.map(({ directory }) => directory),
    counters.map(([file]) => file),
  )
  const refusing = groups.find((_, at) => counters.some(([file, counter]) => counter.test(texts[at]!(file) ?? '')))
  const explanation = refusing && (await import('../../why/why.ts')).why(refusing.directory)
  const record: EndRecord = {
    version: 1,
    id,
    bundle,
    ended: new Date().toISOString(),
    ...(refusing && { group: refusing.directory }),
    // the caller is the parent of the first process, so only the caller has its exit status
    cause: explanation?.cause ?? unknownEnd,
    ...(explanation && { explanation }),
  }
  const directory = `${root}/${endedDirectory}`
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = `${directory}/${id}.json`
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
  removeOldest(directory)
}

function removeOldest(directory: string): void {
  const names = readdirSync(directory) as string[]
  if (names.length <= keptAtMost) return
  const ages = names.map((name) => ({
    name,
    at: statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }))
  for (const { name } of ages.sort((a, b) => b.at - a.at).slice(keptAtMost))
    rmSync(`${directory}/${name}`, { force: true })
}
