// SPDX-License-Identifier: Apache-2.0
// Defines the types of the JSON that the dashboard's server and page exchange. Types only.
import type { FigureValues, PageFigure, PageRate } from '../../cgroup/controllers/figures.ts'

/**
 * The figures and rates of a group that the page shows; the table of figures marks them. A figure that the host does
 * not report is absent.
 */
export type GroupRow = {
  [name in keyof FigureValues as name extends PageFigure ? name : never]?: FigureValues[name]
} & {
  [name in PageRate]?: number | undefined
}

/** An event of a group, such as an OOM kill, at a time. */
export interface Mark {
  id: number
  /** Milliseconds since 1970. */
  at: number
  group: string
  kind: 'oom' | 'refused' | 'throttled'
  count: number
}

/** The content of the server-sent event `all`: the complete state, for a page that has just connected. */
export interface All {
  time: number
  host: { name: string; memory: number; cpus: number; layout: string }
  allowChanges: boolean
  rows: { [path: string]: GroupRow }
  marks: Mark[]
}

/** The content of the server-sent event `change`: the differences from the state a second ago. */
export interface Change {
  time: number
  rows: { [path: string]: GroupRow }
  gone: string[]
  marks: Mark[]
}

/** Figures that the history of a group contains. */
export const tracks = [
  'cpus',
  'cpuMax',
  'memory',
  'memoryMax',
  'pids',
  'pidsMax',
  'throttled',
  'cpuStalled',
  'memoryStalled',
  'ioStalled',
  'readBytes',
  'writtenBytes',
] as const
export type Track = (typeof tracks)[number]

/**
 * The answer to a request of /history. Times are in seconds since 1970. A figure that is unknown is null, as is a limit
 * that is not set.
 */
export interface Past {
  times: number[]
  tracks: { [track in Track]: (number | null)[] }
}

/** A process in the answer to a request of /processes. */
export interface ProcessRow {
  pid: number
  group: string
  uid: number
  state: string
  threads: number
  resident: number
  cpuUsec: number
  command: string
}

/** The answer to a request of /processes. `more` is the number of processes that were left out. */
export interface Processes {
  processes: ProcessRow[]
  more: number
}

/** The answer to a request of /session: the path prefix that all further requests must have. */
export interface Session {
  base: string
}

/** The content of a request of /change. */
export type ActionRequest =
  | { action: 'limit'; group: string; file: string; value: string }
  | { action: 'kill' | 'freeze' | 'thaw'; group: string }
