// SPDX-License-Identifier: Apache-2.0
// What the server and the page say to each other, as JSON: types alone.

/** One group now. What the host does not give is left out; rates are by the second. */
export interface Row {
  populated?: boolean | undefined
  frozen?: boolean | undefined
  /** CPUs in use, and the limit in CPUs. */
  cpus?: number | undefined
  cpuMax?: number | 'max' | undefined
  /** Bytes. */
  memory?: number | undefined
  memoryMax?: number | 'max' | undefined
  memoryHigh?: number | 'max' | undefined
  memoryPeak?: number | undefined
  swap?: number | undefined
  swapMax?: number | 'max' | undefined
  pids?: number | undefined
  pidsMax?: number | 'max' | undefined
  oomKills?: number | undefined
  pidsRefused?: number | undefined
  /** Shares, 0 to 1: of quota periods, of time. */
  throttled?: number | undefined
  cpuStalled?: number | undefined
  memoryStalled?: number | undefined
  ioStalled?: number | undefined
  readBytes?: number | undefined
  writtenBytes?: number | undefined
}

/** What happened to a group at one moment. */
export interface Mark {
  id: number
  /** Milliseconds since 1970. */
  at: number
  group: string
  kind: 'oom' | 'refused' | 'throttled'
  count: number
}

/** The event `all`: how things stand when a page comes, or comes back. */
export interface All {
  time: number
  host: { name: string; memory: number; cpus: number; layout: string }
  allowChanges: boolean
  rows: { [path: string]: Row }
  marks: Mark[]
}

/** The event `change`: what is another than a second ago. */
export interface Change {
  time: number
  rows: { [path: string]: Row }
  gone: string[]
  marks: Mark[]
}

/** The figures that a history keeps. */
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

/** The answer of /history. Seconds since 1970; a figure that was not known, or a limit that was none, is null. */
export interface Past {
  times: number[]
  tracks: { [track in Track]: (number | null)[] }
}

/** One process in the answer of /processes. */
export interface Process {
  pid: number
  group: string
  uid: number
  state: string
  threads: number
  resident: number
  cpuUsec: number
  command: string
}

/** The answer of /processes; `more` were left out. */
export interface Processes {
  processes: Process[]
  more: number
}

/** The answer of /session: all but the page itself and the session is asked for below this path. */
export interface Session {
  base: string
}

/** What is asked of /change. */
export type Wish =
  | { action: 'limit'; group: string; file: string; value: string }
  | { action: 'kill' | 'freeze' | 'thaw'; group: string }
