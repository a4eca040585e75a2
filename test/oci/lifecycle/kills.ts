// SPDX-License-Identifier: Apache-2.0
// What tests of kill -9 share: moments that a seed repeats, what a container has on the host, and the check that nothing of it is left.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, vi } from 'vitest'
import { hierarchyMounts } from '../../support/oci-groups.ts'
import type { Ground, Held } from '../../support/oci-runtime.ts'
import { readStartTime } from '../../support/start-time.ts'

/** KILL_SEED repeats the moments and commands of an earlier run. */
export const seed = Number(process.env.KILL_SEED ?? Date.now() % 2 ** 32)

let state = seed
/** Returns a number from 0 to 1 (mulberry32). */
export function random(): number {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** Returns the groups of a container in all hierarchies. */
const groupsOf = (id: string) =>
  hierarchyMounts()
    .map((mount) => `${mount}/${id}`)
    .filter(existsSync)

/** Returns the processes in a container's groups. */
export const membersOf = (id: string) =>
  groupsOf(id).flatMap((group) => readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean))

/** Returns the mounts of the host that lead into the place of these containers. */
export const ownMounts = ({ path }: Ground) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path))

/** Runs a command, which must end with 0. Returns its output. */
export function succeed({ call }: Ground, ...words: string[]): string {
  const { status, stdout, stderr } = call(words)
  if (status !== 0) throw new Error(`${words[0]}, seed ${seed}: ${stderr}`)
  return stdout
}

/** Returns the status of a container in the list; '' if it is not there. */
export function listed(ground: Ground, id: string): string {
  const found = JSON.parse(succeed(ground, 'list', '--format', 'json')) as { id: string; status: string }[]
  return found.find((one) => one.id === id)?.status ?? ''
}

/** Deletes a container that a kill has left, and checks that nothing of it is left and its id is free. */
export function expectDeletable(ground: Ground, id: string, bundle: string): void {
  const members = membersOf(id).map((pid) => [pid, readStartTime(pid)] as const)
  succeed(ground, 'list')
  succeed(ground, 'delete', '--force', id)
  expect(groupsOf(id), `seed ${seed}`).toEqual([])
  const survivors = members.filter(([pid, time]) => time !== undefined && readStartTime(pid) === time)
  expect(survivors, `seed ${seed}`).toEqual([])
  succeed(ground, 'create', '--bundle', bundle, id)
  expect(ground.status(id)).toBe('created')
  succeed(ground, 'delete', '--force', id)
  expect(readdirSync(ground.root).filter((name) => name === id || name.startsWith('~'))).toEqual([])
}

/** Kills a process; false if it has ended. */
export function killIfThere(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}

/** Checks that a command that was killed has left no process of its own when its container is gone. */
export const expectNoOrphan = ({ children }: Held) =>
  vi.waitFor(() => expect(children(), `seed ${seed}`).toEqual([]), 10_000)

/** Checks that enough of the commands of each kind were killed before their end. */
export function expectHits(hits: readonly number[], rounds: number): void {
  for (const count of hits) expect(count, `hits ${hits}`).toBeGreaterThanOrEqual(Math.floor(rounds / 40))
  expect(Math.max(...hits), `hits ${hits}`).toBeGreaterThan(0)
  if (rounds >= 100) process.stderr.write(`killed in time: ${hits}\n`)
}
