// SPDX-License-Identifier: Apache-2.0
// Samples all groups of the machine, whichever program created them. Merges the groups of all hierarchies by path.

import { type Follower, openFollower } from '../cgroup/changed-files.ts'
import { listGroups, splitGroups } from '../cgroup/files.ts'
import { fail } from '../errors/errors.ts'
import { type Host, readHost } from '../host/host.ts'
import { refuseUnknown } from '../options/unknown-option.ts'
import { signsOfLife, type Take } from './files.ts'
import { type Draft, emptyDraft, makeSample } from './raw-sample.ts'
import type { GroupSample, Snapshot } from './sample.ts'
import { findSources, type HierarchySource, readCounts } from './sources.ts'

/** An open sampler; `close` ends it. */
export interface Sampler {
  /**
   * Returns the current state of all groups. Anything unchanged since the last call is the same object. Limits and
   * pressure of an idle group may be 10 seconds old, unless `full` is true.
   */
  sample(full?: boolean): Snapshot
  /** Closes the files. `sample` must not be called afterwards. */
  close(): void
}

interface Group {
  draft: Draft
  sample: GroupSample
  changed: boolean
  /** A bit mask: bit n is set if hierarchy n contains the group. */
  where: number
  followed: [followed: Followed, slot: number][]
}

/** An open reader of one set of files in many groups of a hierarchy. */
interface Followed {
  follower: Follower
  takes: Take[]
  groups: (Group | undefined)[]
}

interface Hierarchy {
  source: HierarchySource
  list: string
  paths: string[]
  /** The kernel's count of groups when the groups were last listed. */
  count: string | undefined
  /** True if a file could no longer be read, so the group may have been removed. */
  vanished: boolean
  alone: Followed | undefined
  besideUnified: Followed | undefined
}

/**
 * Opens a sampler of all groups that this process can see, in every hierarchy. The groups' files stay open, and text
 * that has not changed is not parsed again. A sample of a thousand groups takes about 20 ms.
 *
 * @throws CGROUP_MISSING, CGROUP_REFUSED
 * @throws OPTION_INVALID, OPTION_UNKNOWN for an argument
 * @example
 * const sampler = openSampler()
 * const { groups } = sampler.sample()
 * console.log(groups.has('/')) // true
 * sampler.close()
 */
export function openSampler(): Sampler
/** @internal */
export function openSampler(host?: Host): Sampler
export function openSampler(host: Host = readHost()): Sampler {
  // check the type, because a caller may pass an object with options, such as an interval
  if (typeof host !== 'object' || !('layout' in host)) refuseUnknown('openSampler', host)
  if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: 'look at groups' })
  const hierarchies = findSources(host).map((source): Hierarchy => {
    const alone = openFollowed(source.files)
    const same = source.besideUnified === source.files
    const besideUnified = same ? alone : openFollowed(source.besideUnified)
    return { source, list: '', paths: [], count: undefined, vanished: false, alone, besideUnified }
  })
  let groups = new Map<string, Group>()
  let looks = 0
  return {
    sample(full = false) {
      const changed = listAll(hierarchies, looks)
      if (changed || looks === 0) groups = mergeGroups(hierarchies, groups)
      looks++
      // take the time directly before the reads, because rates depend on it
      const time = performance.timeOrigin + performance.now()
      lookAtAll(hierarchies, full)
      // v1: a removed group is detected by its missing files. The kernel's count of groups still contains it while some
      // of its memory is in use.
      if (hierarchies.some(({ vanished }) => vanished) && listAll(hierarchies, looks)) {
        const known = groups
        groups = mergeGroups(hierarchies, known)
        if ([...groups.keys()].some((path) => !known.has(path))) lookAtAll(hierarchies, full)
      }
      const samples = new Map<string, GroupSample>()
      for (const [path, group] of groups) {
        if (group.changed) group.sample = makeSample(group.draft)
        group.changed = false
        samples.set(path, group.sample)
      }
      return { time, groups: samples }
    },
    close() {
      for (const { alone, besideUnified } of hierarchies) {
        alone?.follower.close()
        besideUnified?.follower.close()
      }
    },
  }
}

function openFollowed(files: { [file: string]: Take }): Followed | undefined {
  const [signs, others] = [true, false].map((life) =>
    Object.keys(files).filter((file) => signsOfLife.has(file) === life),
  )
  const names = [...signs!, ...others!]
  if (names.length === 0) return undefined
  return { follower: openFollower(names, signs!.length), takes: names.map((file) => files[file]!), groups: [] }
}

function lookAtAll(hierarchies: readonly Hierarchy[], full: boolean): void {
  for (const hierarchy of hierarchies) {
    readChanges(hierarchy, hierarchy.alone, full)
    if (hierarchy.besideUnified !== hierarchy.alone) readChanges(hierarchy, hierarchy.besideUnified, full)
  }
}

function readChanges(hierarchy: Hierarchy, followed: Followed | undefined, full: boolean): void {
  followed?.follower.look(full, (slot, file, text) => {
    const group = followed.groups[slot]!
    followed.takes[file]!(group.draft, text)
    group.changed = true
    if (text === undefined) hierarchy.vanished = true
  })
}

/**
 * Lists the groups of all hierarchies. Returns true if groups were created or removed. The v2 tree is walked each time.
 * The many v1 hierarchies are walked when v2 changed, or when the kernel's count of groups differs. One of them is also
 * walked each time in turn, because a count stays equal if one group appears and another disappears.
 */
function listAll(hierarchies: readonly Hierarchy[], looks: number): boolean {
  const counts = hierarchies.some(({ source }) => !source.unified) ? readCounts() : new Map<string, string>()
  const [due, others]: [Hierarchy[], Hierarchy[]] = [[], []]
  for (const [n, hierarchy] of hierarchies.entries()) {
    const { source, vanished } = hierarchy
    const count = counts.get(source.controller)
    const isDue = source.unified || count === undefined || count !== hierarchy.count || vanished
    ;(isDue || looks % hierarchies.length === n ? due : others).push(hierarchy)
    hierarchy.count = count
    hierarchy.vanished = false
  }
  const changed = due.filter(listAnew).length > 0
  if (changed) others.forEach(listAnew)
  return changed
}

/** Lists the groups of one hierarchy. Returns true if the list has changed. */
function listAnew(hierarchy: Hierarchy): boolean {
  const list = listGroups(hierarchy.source.mount)
  if (list === hierarchy.list) return false
  hierarchy.list = list
  hierarchy.paths = splitGroups(list)
  return true
}

/**
 * Merges the groups of all hierarchies by path, parents first. A group that appeared in or disappeared from a hierarchy
 * starts with new values.
 */
function mergeGroups(hierarchies: readonly Hierarchy[], before: ReadonlyMap<string, Group>): Map<string, Group> {
  const where = new Map<string, number>()
  for (const [n, { paths }] of hierarchies.entries())
    for (const path of ['', ...paths]) where.set(path, (where.get(path) ?? 0) | (1 << n))
  const groups = new Map<string, Group>()
  // separate names by NUL, which sorts before every other character, so that a group's children directly follow the group
  const sorted = [...where.keys()].map((path) => path.replaceAll('/', '\0')).sort()
  for (const [path, group] of before) if (where.get(path.slice(1)) !== group.where) unfollow(group)
  for (const key of sorted) {
    const below = key.replaceAll('\0', '/')
    const path = `/${below}`
    const known = before.get(path)
    groups.set(path, known?.where === where.get(below) ? known! : follow(hierarchies, below, where.get(below)!))
  }
  return groups
}

function follow(hierarchies: readonly Hierarchy[], below: string, where: number): Group {
  const draft = emptyDraft()
  const group: Group = { draft, sample: makeSample(draft), changed: false, where, followed: [] }
  const isUnified = hierarchies.some(({ source }, n) => source.unified && where & (1 << n))
  for (const [n, { source, alone, besideUnified }] of hierarchies.entries()) {
    const followed = where & (1 << n) ? (isUnified ? besideUnified : alone) : undefined
    if (!followed) continue
    const slot = followed.follower.follow(below === '' ? source.mount : `${source.mount}/${below}`)
    followed.groups[slot] = group
    group.followed.push([followed, slot])
  }
  return group
}

function unfollow(group: Group): void {
  for (const [followed, slot] of group.followed) {
    followed.follower.unfollow(slot)
    followed.groups[slot] = undefined
  }
  group.followed = []
  group.where = 0
}
