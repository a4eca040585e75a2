// SPDX-License-Identifier: Apache-2.0
// Types of the JSON between the server and the page. Types only.
import type { FigureValues, PageFigure, PageRate } from '../../cgroup/controllers/figures.ts'

/** Figures and rates of one group that the table marks for the page. A figure that the host does not report is absent. */
export type GroupRow = {
  [name in keyof FigureValues as name extends PageFigure ? name : never]?: FigureValues[name]
} & {
  [name in PageRate]?: number | undefined
}

/** An event of a group. */
export interface Mark {
  id: number
  /** Milliseconds since 1970. */
  at: number
  group: string
  kind: 'oom' | 'refused' | 'throttled'
  count: number
}

/** The event `all`: the complete state for a page that connects. */
export interface All {
  time: number
  host: { name: string; memory: number; cpus: number; layout: string }
  allowChanges: boolean
  rows: { [path: string]: GroupRow }
  marks: Mark[]
}

/** The event `change`: the differences from the state a second ago. */
export interface Change {
  time: number
  rows: { [path: string]: GroupRow }
  gone: string[]
  marks: Mark[]
}

/** Figures in the history. */
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

/** The answer of /history. Times in seconds since 1970. An unknown figure or a missing limit is null. */
export interface Past {
  times: number[]
  tracks: { [track in Track]: (number | null)[] }
}

/** A process in the answer of /processes. */
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

/** The answer of /processes. `more`: number of omitted processes. */
export interface Processes {
  processes: ProcessRow[]
  more: number
}

/** The answer of /session: the path below which all other requests go. */
export interface Session {
  base: string
}

/** The request of /change. */
export type ActionRequest =
  | { action: 'limit'; group: string; file: string; value: string }
  | { action: 'kill' | 'freeze' | 'thaw'; group: string }
