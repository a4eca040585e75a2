// SPDX-License-Identifier: Apache-2.0
// After each file of tests: no group of a hutch that is gone, or of this process, is left, and no child.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect } from 'vitest'
import { isAbandoned } from '../../src/cgroup/stale-groups.ts'
import { nearGroups, removeOwnGroups } from './test-groups.ts'

/** Returns groups of jobs whose hutch has ended, and groups that this process made: at the roots, and near the groups that this process is in. */
export function leftGroups(): string[] {
  return nearGroups().filter(isLeft)
}

/** Groups that these processes have left. */
export function leftBy(pids: ReadonlySet<number>): string[] {
  return leftGroups().filter((group) => pids.has(Number(/\/hutch-(\d+)-/.exec(group)?.[1])))
}

/** Jobs' groups, and those that tests make by hand and name after their process. */
function isLeft(group: string): boolean {
  const pid = /^hutch-(\d+)-\d+-\d+-\d+$/.exec(basename(group))?.[1]
  // a maker that lives is about to lock it, or to remove it
  if (pid !== undefined && !existsSync(`/proc/${pid}`) && isAbandoned(group)) return true
  return new RegExp(`^hutch-(test-)?${process.pid}(-|$)`).test(basename(group))
}

/** Processes that this one started and that still live. */
export function children(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean)
}

/** One file for each process whose tests kill hutches. Their groups stay until the next hutch starts. */
const killers = `${tmpdir()}/hutch-test-killers`
const ownMark = `${killers}/${process.pid}`

/** Lets the tests of other files, which run at the same time, wait for groups of hutches that this file's tests kill. */
export function killsHutches(): void {
  mkdirSync(killers, { recursive: true })
  writeFileSync(ownMark, '')
}

/** Returns leftGroups() as soon as it is empty, or once no file of other tests that kill hutches runs. */
export async function groupsThatStay(): Promise<string[]> {
  while (othersKillHutches() && leftGroups().length > 0) await pause(50)
  return leftGroups()
}

function othersKillHutches(): boolean {
  if (!existsSync(killers)) return false
  return readdirSync(killers).some((pid) => pid !== String(process.pid) && existsSync(`/proc/${pid}`))
}

afterAll(async () => {
  // what was just killed is still a child until its end has been seen
  for (let tries = 0; tries < 250 && children().length > 0; tries++) await pause(20)
  expect({ groups: await groupsThatStay(), children: children() }).toEqual({ groups: [], children: [] })
  rmSync(ownMark, { force: true })
})

for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }))
  process.once(signal, () => {
    try {
      removeOwnGroups()
    } finally {
      process.exit(128 + number)
    }
  })
