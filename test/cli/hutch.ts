// SPDX-License-Identifier: Apache-2.0
// Runs the built CLI as a user does.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const cli = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url))

/** What it printed, and its exit status. */
export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** `hutch ARGS…`, with nothing on stdin; `uid` runs it as another user. */
export function hutch(
  args: string[],
  options: { uid?: number; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return collect(process.execPath, [cli, ...args], options)
}

/** Any command, its output collected. */
export function collect(command: string, args: string[], options: object = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    const text = { stdout: '', stderr: '' }
    for (const key of ['stdout', 'stderr'] as const)
      child[key].on('data', (data: Buffer) => {
        text[key] += data
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...text }))
  })
}
