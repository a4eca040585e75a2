// SPDX-License-Identifier: Apache-2.0
// The existing groups of a container: signals, freezer, removal, with processes in groups below it too.
import { mkdirSync, readFileSync } from 'node:fs'
import { afterAll, afterEach, expect, test } from 'vitest'
import { isGroup, isPaused, readGroupFile, writeGroupFile } from '../../src/cgroup/files.ts'
import { containerProcesses } from '../../src/container/status.ts'
import { readHost } from '../../src/host/host.ts'
import { freezeGroups, removeGroups, signalGroups, thawGroups } from '../../src/oci/resources/groups.ts'
import { planContainerGroups } from '../../src/oci/resources/plan-groups.ts'
import type { GroupPlace } from '../../src/options/spec.ts'
import { createPlanned, removeEverywhere } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'
import { endOf, endSleepers, sleeper, startQuiet } from '../support/sleeper.ts'

const host = readHost()
const parent = `/hutch-test-${process.pid}-groups`
let serial = 0

afterEach(endSleepers)
afterAll(() => removeEverywhere(parent))

const directoriesOf = (places: readonly GroupPlace[]) => [...new Set(places.map(({ directory }) => directory))]

/** Creates the groups of a container, one process in them, and one in a group below each. */
function container(): { places: GroupPlace[]; pids: number[] } {
  const { groups, places } = planContainerGroups(`${parent}/${serial++}`, host, {}, 'test')
  expect(createPlanned(groups)).toBe(undefined)
  const pids = [sleeper(), sleeper()]
  for (const [i, pid] of pids.entries())
    for (const { directory } of groups) {
      const at = i === 0 ? directory : `${directory}/below`
      mkdirSync(at, { recursive: true })
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        if (i > 0 && readGroupFile(at, file) === '') writeGroupFile(at, file, readGroupFile(directory, file)!)
      expect(writeGroupFile(at, 'cgroup.procs', String(pid))).toBe(undefined)
    }
  return { places, pids }
}

test('the processes of all groups are listed once', (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  expect(containerProcesses({ groups: places })).toEqual(pids.toSorted((a, b) => a - b))
})

test('SIGKILL ends all processes; the groups are then removed, and their parents stay', async (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  signalGroups(places, 9)
  expect(await Promise.all(pids.map(endOf))).toEqual(['SIGKILL', 'SIGKILL'])
  removeGroups(places)
  for (const directory of directoriesOf(places)) {
    expect([directory, isGroup(directory)]).toEqual([directory, false])
    expect(isGroup(directory.slice(0, directory.lastIndexOf('/')))).toBe(true)
  }
  // again: what is gone is no error
  removeGroups(places)
  thawGroups(places)
})

test('groups are removed while killed processes are still exiting', (context) => {
  requires(context, 'root')
  const { places } = container()
  signalGroups(places, 9)
  removeGroups(places)
  expect(directoriesOf(places).filter(isGroup)).toEqual([])
})

test('another signal reaches each process once', async (context) => {
  requires(context, 'root')
  const { groups, places } = planContainerGroups(`${parent}/${serial++}`, host, {}, 'test')
  createPlanned(groups)
  const script = "n=0; trap 'n=$((n + 1))' USR1; trap 'echo $n; exit' TERM; echo ready; while :; do sleep 0.01; done"
  const child = startQuiet('sh', ['-c', script])
  const lines: string[] = []
  const line = () =>
    new Promise<string>((resolve) => child.stdout!.once('data', (data) => resolve(String(data).trim())))
  lines.push(await line())
  for (const { directory } of groups) writeGroupFile(directory, 'cgroup.procs', String(child.pid))
  signalGroups(places, 10)
  expect(places.some(isPaused)).toBe(false)
  const answer = line()
  process.kill(child.pid!, 'SIGTERM')
  lines.push(await answer)
  expect(lines).toEqual(['ready', '1'])
})

test('frozen processes stand still, get a signal after thawing, and are thawed', async (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  freezeGroups(places)
  expect(places.some(isPaused)).toBe(true)
  signalGroups(places, 15)
  expect(places.some(isPaused)).toBe(true)
  for (const pid of pids) expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^State:\t[DS]/m)
  thawGroups(places)
  expect(places.some(isPaused)).toBe(false)
  expect(await Promise.all(pids.map(endOf))).toEqual(['SIGTERM', 'SIGTERM'])
})

test('SIGKILL ends frozen processes when they are thawed', async (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  freezeGroups(places)
  signalGroups(places, 9)
  thawGroups(places)
  expect(await Promise.all(pids.map(endOf))).toEqual(['SIGKILL', 'SIGKILL'])
  removeGroups(places)
})

test('a container whose groups have processes cannot be removed, and the error names them', (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  expect(() => removeGroups(places)).toThrow(new RegExp(`processes in it: .*${pids[1]} \\(sleep\\)`))
})

test('an existing group is used if it is empty and not frozen', async (context) => {
  requires(context, 'root')
  const { places, pids } = container()
  const path = `${parent}/${serial - 1}`
  const plan = () => planContainerGroups(path, host, {}, 'test')
  expect(plan).toThrow(/container's cgroup is not empty: .*sleep/)
  signalGroups(places, 9)
  await Promise.all(pids.map(endOf))
  expect(plan().groups.every(({ exists }) => exists)).toBe(true)
  freezeGroups(places)
  expect(plan).toThrow("container's cgroup unexpectedly frozen")
  thawGroups(places)
  removeGroups(places)
})
