// SPDX-License-Identifier: Apache-2.0
// Describes kernel files: their meaning, and the formats in which the kernel writes and accepts values. Pure data, one table for each
// controller.

/** How a file's text is built. value-read.ts and value-write.ts know each. */
export type FileFormat =
  /** 0 or 1. */
  | 'flag'
  /** A whole number from 0 on; `integer` may be negative. */
  | 'count'
  | 'integer'
  | 'count-or-max'
  | 'bytes'
  | 'bytes-or-max'
  | 'microseconds'
  /** With two decimals, 0 to 100, or max. */
  | 'percent-or-max'
  /** CPUs or memory nodes: 0-2,5. */
  | 'list'
  | 'pids'
  /** Names with spaces between, or numbers. */
  | 'words'
  | 'numbers'
  /** +name and -name. */
  | 'toggles'
  /** One of `choices`. */
  | 'choice'
  | 'text'
  | 'lines'
  /** cpu.max: what may run in how long a period. */
  | 'quota'
  /** `key value` lines. */
  | 'flat-keyed'
  /** `key subkey=value …` lines. */
  | 'nested-keyed'
  /** v1 block devices: `8:0 Read 4096` lines. */
  | 'device-operations'
  /** `key=sum N0=… N1=…` lines. */
  | 'numa'
  | 'pressure'
  /** What is written to a pressure file. */
  | 'trigger'
  /** memory.reclaim: bytes, with a swappiness or without. */
  | 'reclaim'

export type Unit = 'bytes' | 'µs' | 'ns' | 'ms' | 'ticks' | 'count' | 'pages' | '%' | 'weight' | 'flag' | ''

/** Key → its unit, and what it counts. `<…>` in a key stands for any one word. */
export type Keys = { readonly [key: string]: readonly [unit: Unit, meaning: string] }

/** One kernel file in words. */
export interface FileWords {
  /** As the kernel spells it. */
  file: string
  /** Who gives it: `cgroup` for what every group has. */
  controller: string
  /** `none`: neither read nor written, only named to cgroup.event_control. */
  access: 'read' | 'write' | 'read-write' | 'none'
  /** Whether the root group lacks it, or alone has it; else it is in both. */
  root?: 'never' | 'only'
  /** It is there without its controller being enabled. */
  always?: true
  format: FileFormat
  /** How it is written, when that is not how it reads. */
  writes?: FileFormat
  unit: Unit
  /** Smallest and greatest number that is taken. */
  range?: readonly [number, number]
  choices?: readonly string[]
  /** How "no limit" is written, where the kernel does not say max: v1. */
  noLimit?: '-1' | '0'
  /** The kernel it came with; absent: before 4.6. */
  since?: string
  /** What a new group has. */
  default?: string
  /** What is taken, with an example; absent when nothing is. */
  accepts?: string
  /** One sentence. */
  meaning: string
  keys?: Keys
  /** What its lines are named for, when that is not one of `keys`: a device, a region. */
  lines?: string
  /** The v1 files that hold the same. */
  v1?: readonly string[]
}

/** What a table says of a file; the rest follows from its name and format (catalog.ts). */
export type FileEntry = Omit<FileWords, 'file' | 'controller' | 'unit'> & { unit?: Unit; controller?: string }

/** File name → entry. `<size>` in a name stands for a page size such as 2MB. */
export type Entries = { readonly [file: string]: FileEntry }
