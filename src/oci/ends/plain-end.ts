// SPDX-License-Identifier: Apache-2.0
// Recognizes an end in which the kernel killed nothing and refused nothing, which is that of most containers. Its record has
// facts, not words: delete then loads no module that explains.

import { isGroup, readMany, walkGroups } from '../../cgroup/files.ts'
import { findFlat } from '../../cgroup/stats.ts'
import type { ContainerStatus } from '../../container/status.ts'
import type { OciState } from '../lifecycle/details.ts'
import { type Notes, readNotes } from './life-events.ts'

/** What is known of such an end. */
export interface PlainEnd extends Notes, Pick<OciState, 'annotations' | 'groups'> {
  /** Status before the deletion. */
  status: ContainerStatus
  /** Texts of files of the container's own groups. */
  figures: { readonly [file: string]: string }
}

/** Controllers whose groups count kills and refusals. The controller '' stands for the v2 tree. */
const controllers: readonly string[] = ['', 'memory', 'pids']
/** Counts of kills and refusals. A count above 0 needs an explanation. */
const counts: readonly (readonly [file: string, ...keys: string[]])[] = [
  ['memory.events', 'oom', 'oom_kill'],
  ['memory.events.local', 'oom'],
  ['memory.oom_control', 'oom_kill'],
  ['pids.events', 'max'],
  ['pids.events.local', 'max'],
]
const countFiles = counts.map(([file]) => file)
/** Files with limits and peaks, of v2 and v1. */
const figureFiles = [
  'memory.max',
  'memory.peak',
  'memory.limit_in_bytes',
  'memory.max_usage_in_bytes',
  'memory.failcnt',
  'memory.memsw.failcnt',
  'pids.max',
  'pids.peak',
]

/**
 * Returns the facts of an end. Returns undefined if the kernel killed a process or refused a fork in the groups, or if they do not
 * exist any more.
 */
export function readPlainEnd(root: string, state: OciState, status: ContainerStatus): PlainEnd | undefined {
  const { id, annotations, groups } = state
  const counting = groups.filter(({ controller }) => controllers.includes(controller))
  const own = [...new Set(counting.map(({ directory }) => directory))].filter(isGroup)
  if (own.length === 0) return undefined
  const below = own.flatMap((directory) => walkGroups(directory).slice(1))
  const texts = readMany([...own, ...below], [...countFiles, ...figureFiles])
  if (texts.some((text) => counts.some(([file, ...keys]) => keys.some((key) => (findFlat(text(file), key) ?? 0) > 0))))
    return undefined
  const figures = texts
    .slice(0, own.length)
    .flatMap((text) => [...countFiles, ...figureFiles].map((file) => [file, text(file)]))
    .filter(([, text]) => text !== undefined)
  return { annotations, groups, status, ...readNotes(`${root}/${id}`), figures: Object.fromEntries(figures) }
}
