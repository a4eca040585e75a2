// SPDX-License-Identifier: Apache-2.0
// Processes that do nothing, to be moved, frozen and killed; all of them end with their test.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const started: ChildProcess[] = []

/** A process of this test, ended by `endSleepers`. */
export function startQuiet(command: string, args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  started.push(child)
  return child
}

/** The id of a process that sleeps. */
export function sleeper(): number {
  return startQuiet('sleep', ['1000']).pid!
}

/** The signal that ended a process which this test started. */
export function endOf(pid: number): Promise<NodeJS.Signals | null> {
  const child = started.find((one) => one.pid === pid)!
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.signalCode)
  return new Promise((resolve) => child.once('exit', (_status, signal) => resolve(signal)))
}

/** SIGKILL for a child after so many milliseconds; whether it had printed something by its end. */
export async function killAfter(child: ChildProcess, after: number): Promise<boolean> {
  let said = false
  child.stdout!.once('data', () => {
    said = true
  })
  setTimeout(() => child.kill('SIGKILL'), after)
  // not close: without a pid namespace, what a command started holds its stdout until the next start
  await new Promise((resolve) => child.once('exit', resolve))
  return said
}

function endChildren(parent: number): void {
  try {
    const listed = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean)
    for (const pid of listed) process.kill(Number(pid), 'SIGKILL')
  } catch {
    // has ended
  }
}

/** Kills what is left, with its children, and waits for it. */
export async function endSleepers(): Promise<void> {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    endChildren(child.pid!)
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill('SIGKILL')) await ended
  }
}
