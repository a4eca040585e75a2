// SPDX-License-Identifier: Apache-2.0
// Types of the tables of kernel files: meaning, and the formats in which the kernel writes and accepts values. One table per controller.
// Types only.

/** Format of a file's text. value-read.ts parses each format, and value-write.ts writes it. */
export type FileFormat =
  /** 0 or 1. */
  | 'flag'
  /** A whole number, at least 0. Only `integer` may be negative. */
  | 'count'
  | 'integer'
  | 'count-or-max'
  | 'bytes'
  | 'bytes-or-max'
  | 'microseconds'
  /** A number with two decimals from 0 to 100, or max. */
  | 'percent-or-max'
  /** A list of numbers of CPUs or memory nodes, such as 0-2,5. */
  | 'list'
  | 'pids'
  /** Names, or numbers, separated by spaces. */
  | 'words'
  | 'numbers'
  /** A list of controllers to enable (+name) and disable (-name). */
  | 'toggles'
  /** One of the words in `choices`. */
  | 'choice'
  | 'text'
  | 'lines'
  /** The format of cpu.max: quota and period. */
  | 'quota'
  /** `key value` lines. */
  | 'flat-keyed'
  /** Lines of the form `key subkey=value …`. */
  | 'nested-keyed'
  /** Lines of v1 for block devices: `8:0 Read 4096`. */
  | 'device-operations'
  /** Lines of v1 for NUMA nodes: `key=sum N0=… N1=…`. */
  | 'numa'
  | 'pressure'
  /** The text of a trigger that is written to a pressure file. */
  | 'trigger'
  /** The format of memory.reclaim: bytes, optionally with a swappiness. */
  | 'reclaim'

export type Unit = 'bytes' | 'µs' | 'ns' | 'ms' | 'ticks' | 'count' | 'pages' | '%' | 'weight' | 'flag' | ''

/** Unit and meaning of the value of each key in a file. `<…>` in a key stands for any one word. */
export type Keys = { readonly [key: string]: readonly [unit: Unit, meaning: string] }

/** Description of a kernel file. */
export interface FileWords {
  /** Name as the kernel spells it. */
  file: string
  /** Controller that provides the file; `cgroup` for files that every group has. */
  controller: string
  /** Whether the file can be read and written. `none`: only its name is used, in cgroup.event_control. */
  access: 'read' | 'write' | 'read-write' | 'none'
  /** `never`: the root group lacks the file; `only`: only the root group has it. Absent if all groups have the file. */
  root?: 'never' | 'only'
  /** True if the file exists even if its controller is not enabled. */
  always?: true
  format: FileFormat
  /** Format of the text that is written, if it differs from the format of the text that is read. */
  writes?: FileFormat
  unit: Unit
  /** Smallest and largest accepted number. */
  range?: readonly [number, number]
  choices?: readonly string[]
  /** Text for "no limit" on v1, where the kernel does not use max. */
  noLimit?: '-1' | '0'
  /** First kernel version with the file; absent means before 4.6. */
  since?: string
  /** Value of the file in a new group. */
  default?: string
  /** Accepted values with an example; absent if nothing can be written. */
  accepts?: string
  /** Meaning of the file, in one sentence. */
  meaning: string
  keys?: Keys
  /** What the first word of each line names if it is not one of `keys`: a device, a region. */
  lines?: string
  /** v1 files with the same content. */
  v1?: readonly string[]
  /**
   * Whether the file, or its v1 files, is read again at the end of a failed job: always, or if the job set it. Another process may have
   * changed the limit during the run.
   */
  atEnd?: { readonly [version in 'v2' | 'v1']?: 'always' | 'if-set' }
}

/** The columns of a file in a table. catalog.ts derives the other columns from the file's name and format. */
export type FileEntry = Omit<FileWords, 'file' | 'controller' | 'unit'> & { unit?: Unit; controller?: string }

/** Files that are read at the end of a failed job. False: only if the job set the file. */
export type EndFiles = { readonly [version in 'v2' | 'v1']: { readonly [file: string]: boolean } }

/** Entries by file name. `<size>` in a name stands for a page size such as 2MB. */
export type Entries = { readonly [file: string]: FileEntry }
