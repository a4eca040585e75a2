// SPDX-License-Identifier: Apache-2.0
// Notes in a container's directory what explains its end: the signals that its caller sent, and the wait status. Each note
// is a file, so writers need no lock.

import { readdirSync, readFileSync, statSync, writeFileSync } from '../../system/files.ts'

/** Prefix of the names of files for signals. Their modification time is that of the last signal. */
const signalPrefix = 'signal-'
const statusFile = 'wait-status'

/** A signal that the caller sent by `kill`. */
export interface SentSignal {
  signal: number
  /** Time of the last one in milliseconds since 1970. */
  at: number
}

/** Notes that the caller sends a signal. A directory that disappears meanwhile is not an error. */
export function noteSignal(directory: string, signal: number): void {
  note(`${directory}/${signalPrefix}${signal}`, '')
}

/** Notes the wait status of the first process. Only its parent has it. */
export function noteWaitStatus(directory: string, status: number): void {
  note(`${directory}/${statusFile}`, String(status))
}

function note(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 })
  } catch {
    // ignored: the container can be deleted at any time
  }
}

/** What is noted of a container's life. */
export interface Notes {
  /** The signals that the caller sent, the last one last. */
  signals: readonly SentSignal[]
  /** The wait status of the first process, if this runtime was its parent. */
  waitStatus?: number | undefined
}

export function readNotes(directory: string): Notes {
  const names = readdirSync(directory) as string[]
  const signals = names
    .filter((name) => name.startsWith(signalPrefix))
    .map((name) => ({
      signal: Number(name.slice(signalPrefix.length)),
      at: statSync(`${directory}/${name}`).mtimeMs,
    }))
    .sort((a, b) => a.at - b.at)
  return { signals, waitStatus: readWaitStatus(directory) }
}

function readWaitStatus(directory: string): number | undefined {
  try {
    return Number(readFileSync(`${directory}/${statusFile}`, 'utf8'))
  } catch {
    return undefined
  }
}
