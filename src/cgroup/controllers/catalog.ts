// SPDX-License-Identifier: Apache-2.0
// Describes every kernel file of a control group in words: content, unit, accepted values. The tables in this folder and in v1/ have the
// data. Pure.

import { legacyBlkio } from '../v1/blkio-files.ts'
import { legacy } from '../v1/core-files.ts'
import { legacyMemory } from '../v1/memory-files.ts'
import { core } from './core.ts'
import { cpu } from './cpu.ts'
import { cpuset } from './cpuset.ts'
import { dmem } from './dmem.ts'
import type { Entries, FileEntry, FileFormat, FileWords, Keys, Unit } from './entry.ts'
import { hugetlb } from './hugetlb.ts'
import { io } from './io.ts'
import { memory } from './memory.ts'
import { misc } from './misc.ts'
import { pids } from './pids.ts'
import { rdma } from './rdma.ts'

export type CgroupVersion = 'v2' | 'v1'

/** The table of each controller. A command reads only the tables of the files that it names. */
const tables: { [version in CgroupVersion]: { [controller: string]: () => Entries } } = {
  v2: {
    cgroup: () => core,
    cpu: () => cpu,
    cpuset: () => cpuset,
    io: () => io,
    memory: () => memory,
    hugetlb: () => hugetlb,
    pids: () => pids,
    rdma: () => rdma,
    misc: () => misc,
    dmem: () => dmem,
  },
  v1: { cgroup: () => legacy, memory: () => legacyMemory, blkio: () => legacyBlkio },
}

/** Returns the table with the files of a controller. On v1, that of cgroup has the files of all controllers without one. */
function tableOf(controller: string, version: CgroupVersion): Entries {
  const known = Object.hasOwn(tables[version], controller) ? controller : version === 'v1' ? 'cgroup' : undefined
  return known === undefined ? {} : tables[version][known]!()
}

/** Returns the controller of a file: the files of pressure belong to none. */
function controllerOf(name: string): string {
  return /^\w+\.pressure$/.test(name) ? 'cgroup' : name.slice(0, name.indexOf('.'))
}

/** Unit of the values of a format, where the format implies one. */
const units: { [format in FileFormat]?: Unit } = {
  flag: 'flag',
  count: 'count',
  'count-or-max': 'count',
  bytes: 'bytes',
  'bytes-or-max': 'bytes',
  microseconds: 'µs',
  'percent-or-max': '%',
  pressure: '%',
}

/** For each format that can be written: the accepted values, in words. */
const accepted: { [format in FileFormat]?: string } = {
  flag: '0 or 1',
  count: 'a number, such as 20',
  'count-or-max': 'a number, such as 20, or max',
  'bytes-or-max': 'bytes, such as 52428800 or 50M, or max',
  microseconds: 'µs, such as 100000',
  'percent-or-max': 'a percentage from 0 to 100, such as 12.5, or max',
}

/** Returns the description of a kernel file; undefined if the catalogue lacks the file. */
export function describeFile(name: string, version: CgroupVersion = 'v2'): FileWords | undefined {
  const controller = controllerOf(name)
  const table = tableOf(controller, version)
  const known = Object.hasOwn(table, name) ? name : name.replace(/^(hugetlb\.)\d{1,6}[KMGT]B(?=\.)/, '$1<size>')
  if (!Object.hasOwn(table, known)) return undefined
  const entry = table[known]!
  const accepts = acceptedBy(entry)
  return {
    file: name,
    controller,
    unit: units[entry.format] ?? '',
    ...entry,
    ...(accepts !== undefined && { accepts }),
    ...(entry.v1 && { v1: entry.v1.map((file) => file.replace('<size>', name.split('.')[1]!)) }),
  }
}

function acceptedBy(entry: FileEntry): string | undefined {
  if (entry.accepts !== undefined) return entry.accepts
  if (entry.access === 'read' || entry.access === 'none') return undefined
  if (entry.choices) return entry.choices.join(', ').replace(/, ([^,]+)$/, ' or $1')
  if (entry.range) return `a number from ${entry.range[0]} to ${entry.range[1]}`
  const words = accepted[entry.writes ?? entry.format]
  return entry.noLimit ? words?.replace('max', '-1 for no limit') : words
}

/** Returns the names of all files of a cgroup version. `<size>` in a name stands for any size of huge pages. */
export function catalogFiles(version: CgroupVersion): string[] {
  return Object.values(tables[version]).flatMap((table) => Object.keys(table()))
}

/** Returns what a key of a keyed file counts. Returns undefined if the catalogue lacks the key, such as a device number. */
export function describeKey(words: FileWords, key: string): Keys[string] | undefined {
  const keys = words.keys ?? {}
  if (Object.hasOwn(keys, key)) return keys[key]
  const pattern = Object.keys(keys).find((known) => known.includes('<') && matches(known, key))
  return pattern === undefined ? undefined : keys[pattern]
}

/** Returns true if `text` equals `pattern` with one word in place of its `<…>`. */
function matches(pattern: string, text: string): boolean {
  const before = pattern.slice(0, pattern.indexOf('<'))
  const after = pattern.slice(pattern.indexOf('>') + 1)
  return (
    text.length > before.length + after.length &&
    text.startsWith(before) &&
    text.endsWith(after) &&
    /^\w+$/.test(text.slice(before.length, text.length - after.length))
  )
}
