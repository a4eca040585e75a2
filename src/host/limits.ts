// SPDX-License-Identifier: Apache-2.0
// Reads resource limits of a process from /proc/PID/limits: proc_pid_limits(5).
import { readFileSync } from '../system/files.ts'

/** The caller's soft and hard limit of open files, if Node has raised the soft limit of this process. */
export function readCallersOpenFiles(): { soft: number; hard: number } | undefined {
  const soft = readOpenFilesLimit(process.ppid)
  try {
    const own = /^Max open files +(\d+|unlimited) +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    const number = (text = 'unlimited') => (text === 'unlimited' ? -1 : Number(text))
    const [now, hard] = [number(own?.[1]), number(own?.[2])]
    return soft > 0 && (soft < now || now === -1) ? { soft, hard } : undefined
  } catch {
    return undefined
  }
}

/**
 * Returns the soft limit of open files of a process, or 0 if it is unknown or unlimited. Node raises its own limit at the start. A program
 * that must get the caller's limit therefore needs that of the parent process.
 */
export function readOpenFilesLimit(pid: number): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
