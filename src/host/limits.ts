// SPDX-License-Identifier: Apache-2.0
// Resource limits of a process, from /proc/PID/limits: proc_pid_limits(5).
import { readFileSync } from 'node:fs'

/** Soft and hard limit of descriptors that the caller had, when Node has raised this process's above it. */
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
