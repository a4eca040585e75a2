// SPDX-License-Identifier: Apache-2.0
// Resource limits of a process, from /proc/PID/limits: proc_pid_limits(5).
import { readFileSync } from 'node:fs'

/**
 * The soft limit of descriptors, 0 when it is not known or there is none. Node
 * raises its own as it starts, so a program that is to get the caller's must
 * ask the caller.
 */
export function readOpenFilesLimit(pid: number): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
