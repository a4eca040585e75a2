// SPDX-License-Identifier: Apache-2.0
// Groups whose hutch was killed: their names tell who made them (plan/plan.ts, groupName), so no daemon and no state file is needed.
import { readFileSync, statSync } from 'node:fs'
import { parseStartTime } from '../host/host.ts'
import { readChildren, readGroupFile, removeTree, writeGroupFile } from './files.ts'

const shape = /^hutch-(\d+)-(\d+)-(\d+)-\d+$/

/** Whether a path leads into the group of a job of hutch's. */
export function isJobGroup(path: string): boolean {
  return path.split('/').some((name) => shape.test(name))
}

/** Whether a name is a job's whose hutch has ended: as seen from the pid namespace that made it. */
export function isAbandoned(name: string): boolean {
  const [, pid, startTime] = shape.exec(name) ?? []
  return pid !== undefined && readStartTime(pid) !== startTime
}

/** Groups of another pid namespace are judged by age: their owner cannot be looked up from here. */
const foreignAgeMs = 60_000

/** Removes what dead owners left right below `directories`; kills what still runs there. Returns the paths it could not remove. */
export function sweepGroups(
  directories: Iterable<string>,
  pidNamespace: string,
  readStartTime: (pid: string) => string | undefined,
): string[] {
  const left: string[] = []
  for (const directory of directories) {
    for (const name of readChildren(directory)) {
      const [, pid, startTime, namespace] = shape.exec(name) ?? []
      if (!pid) continue
      const path = `${directory}/${name}`
      const dead = namespace === pidNamespace ? readStartTime(pid) !== startTime : isOldAndEmpty(path)
      if (dead && !clear(path)) left.push(path)
    }
  }
  return left
}

function isOldAndEmpty(path: string): boolean {
  try {
    return readGroupFile(path, 'cgroup.procs') === '' && Date.now() - statSync(path).mtimeMs > foreignAgeMs
  } catch {
    return false
  }
}

/** Kills and removes, with a bounded wait for the dying. */
function clear(path: string): boolean {
  for (let tries = 0; tries < 50; tries++) {
    killAll(path)
    if (removeTree(path)) return true
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
  }
  return false
}

function killAll(path: string): void {
  if (writeGroupFile(path, 'cgroup.kill', '1') === undefined) return
  for (const pid of readGroupFile(path, 'cgroup.procs')?.split('\n') ?? []) {
    try {
      if (Number(pid) > 1) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
  for (const name of readChildren(path)) killAll(`${path}/${name}`)
}

/** When a process started; undefined when there is none, or only its zombie. */
export function readStartTime(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /\) [ZX] /.test(stat) ? undefined : parseStartTime(stat)
  } catch {
    return undefined
  }
}
