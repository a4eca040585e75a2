// SPDX-License-Identifier: Apache-2.0
// The kernel files of a container's groups, beside runc: the same resources give the same files.
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isGroup, readGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import type { LinuxResources } from '../../src/oci/resources/linux-resources.ts'
import { planContainerGroups } from '../../src/oci/resources/plan-groups.ts'
import { updateGroups } from '../../src/oci/resources/update.ts'
import { resourcesOfFlags } from '../../src/oci/resources/update-flags.ts'
import { makeImage, workplace } from '../support/image.ts'
import { createPlanned, removeEverywhere } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'
import { settingsByRunc, settingsOf, stringify } from '../support/runc-groups.ts'
import { endSleepers, startQuiet } from '../support/sleeper.ts'

const host = readHost()
const parent = `/hutch-test-${process.pid}-oci`
const place = workplace()
let serial = 0
/** A disk, such as 8:0. */
const disk =
  readdirSync('/sys/block')
    .filter((name) => !/^(loop|ram)/.test(name))
    .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim())[0] ?? '8:0'
const [major, minor] = disk.split(':').map(Number) as [number, number]

beforeAll(() => {
  makeImage(`${place.path}/rootfs`)
})

afterAll(() => {
  removeEverywhere(parent)
  place.remove()
})

/** The processors of this machine, of which a VM has one. */
const lastCpu = String(cpus().length - 1)
const allCpus = lastCpu === '0' ? '0' : `0-${lastCpu}`
const M = 2 ** 20
const all = [{ allow: false, access: 'rwm' }]
const sets: LinuxResources[] = [
  {},
  { cpu: { shares: 2 } },
  { cpu: { shares: 1024 } },
  { cpu: { shares: 262_144 } },
  { cpu: { quota: 50_000 } },
  { cpu: { quota: 50_000, period: 200_000 } },
  { cpu: { period: 20_000 } },
  { cpu: { quota: -1, period: 50_000 } },
  { cpu: { quota: 0, period: 0, shares: 0 } },
  { cpu: { cpus: '0' } },
  { cpu: { cpus: allCpus, mems: '0' } },
  { cpu: { cpus: lastCpu, shares: 100, quota: 10_000 } },
  { memory: { limit: 64 * M } },
  { memory: { limit: 64 * M + 1 } },
  { memory: { limit: -1 } },
  { memory: { limit: -1, swap: -1 } },
  { memory: { limit: 64 * M, swap: 64 * M } },
  { memory: { limit: 64 * M, swap: 128 * M } },
  { memory: { limit: 64 * M, swap: -1 } },
  { memory: { limit: 64 * M, swap: 0 } },
  { memory: { reservation: 32 * M } },
  { memory: { reservation: -1 } },
  { memory: { limit: 64 * M, reservation: 32 * M, swap: 65 * M, swappiness: 0 } },
  { memory: { swappiness: 100 } },
  { memory: { disableOOMKiller: true, limit: 32 * M } },
  { memory: { disableOOMKiller: false, kernel: 16 * M, kernelTCP: 16 * M } },
  { memory: { limit: 2n ** 63n - 1n } },
  { pids: { limit: 1 } },
  { pids: { limit: 1000 } },
  { pids: { limit: -1 } },
  { blockIO: { throttleReadBpsDevice: [{ major, minor, rate: M }] } },
  { blockIO: { throttleWriteBpsDevice: [{ major, minor, rate: 2n ** 40n }] } },
  { blockIO: { throttleReadIOPSDevice: [{ major, minor, rate: 100 }] } },
  { blockIO: { throttleWriteIOPSDevice: [{ major, minor, rate: 5 }] } },
  {
    blockIO: {
      throttleReadBpsDevice: [{ major, minor, rate: M }],
      throttleWriteBpsDevice: [{ major, minor, rate: M }],
    },
  },
  { blockIO: { weight: 300 } },
  { blockIO: { weight: 0 } },
  { devices: all },
  { devices: [{ allow: true, access: 'rwm' }] },
  { devices: [...all, { allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' }] },
  { devices: [...all, { allow: true, type: 'b', major: 8, access: 'r' }] },
  {
    devices: [
      ...all,
      { allow: true, type: 'c', major: 10, minor: 200, access: 'rw' },
      { allow: true, type: 'c', major: 10, minor: 200, access: 'm' },
    ],
  },
  {
    devices: [
      { allow: true, type: 'c', major: 10, minor: 1, access: 'rwm' },
      { allow: false, type: 'c', major: 10, minor: 1, access: 'w' },
    ],
  },
  {
    devices: [
      { allow: true, access: 'rwm' },
      { allow: false, type: 'b', major: 8, minor: 0, access: 'w' },
    ],
  },
  { devices: all, memory: { limit: 8 * M }, pids: { limit: 5 }, cpu: { shares: 3 } },
]

/** Resources that both refuse with v1 controllers. On v2, some have no meaning there and are ignored by one or both. */
const refused: LinuxResources[] = [
  {
    devices: [
      ...all,
      { allow: true, type: 'c', major: 10, access: 'rwm' },
      { allow: false, type: 'c', major: 10, minor: 1, access: 'w' },
    ],
  },
  { devices: [{ allow: true, type: 'c', access: '' }] },
  { devices: [{ allow: true, type: 'x', access: 'r' }] },
  { cpu: { shares: 1 } },
  { memory: { limit: 64 * M, swap: M } },
  { memory: { swap: 64 * M } },
  { memory: { swappiness: 101 } },
  { hugepageLimits: [{ pageSize: '3MB', limit: 1 }] },
  { network: { classID: 1 } },
  { cpu: { cpus: '9999' } },
  { cpu: { quota: 1 } },
]

for (const [i, resources] of sets.entries())
  test(stringify(resources), (context) => {
    requires(context, 'runc(8)', 'root', 'busybox')
    const path = `${parent}/hutch-${i}`
    const plan = planContainerGroups(path, host, resources, 'test')
    expect(createPlanned(plan.groups)).toBe(undefined)
    expect(plan.places.every(({ directory }) => isGroup(directory))).toBe(true)
    expect(settingsOf(path)).toEqual(settingsByRunc(place.path, `${parent}/runc-${i}`, resources)[0])
  })

for (const [i, resources] of refused.entries())
  test(`${stringify(resources)} is refused`, (context) => {
    requires(context, 'runc(8)', 'root', 'busybox', 'v1 controllers')
    const attempt = () => createPlanned(planContainerGroups(`${parent}/refused-${i}`, host, resources, 'test').groups)
    const result = (() => {
      try {
        return attempt()
      } catch (error) {
        return String(error)
      }
    })()
    expect(result).toBeTypeOf('string')
    expect(settingsByRunc(place.path, `${parent}/runc-refused-${i}`, resources)[0]).toBeTypeOf('string')
  })

/** Updates in a row, of a container with these resources. */
const updates: [LinuxResources, LinuxResources[]][] = [
  [{}, [{ pids: { limit: 10 } }, { pids: { limit: -1 } }]],
  [{}, [{ cpu: { shares: 512 } }, { cpu: { quota: 20_000, period: 50_000 } }, { cpu: { quota: -1 } }]],
  [
    { cpu: { quota: 50_000, period: 100_000 } },
    [{ cpu: { quota: 100_000, period: 200_000 } }, { cpu: { quota: 2000, period: 2000 } }],
  ],
  [{}, [{ memory: { limit: 64 * M, swap: 64 * M } }, { memory: { limit: 128 * M, swap: 192 * M } }]],
  [
    { memory: { limit: 128 * M, swap: 192 * M } },
    [{ memory: { limit: 32 * M, swap: 33 * M } }, { memory: { limit: -1, swap: -1 } }],
  ],
  [{ memory: { limit: 128 * M, swap: 192 * M } }, [{ memory: { limit: 150 * M } }, { memory: { swap: 151 * M } }]],
  [{ memory: { limit: 64 * M } }, [{ memory: { limit: -1 } }, { memory: { reservation: 32 * M } }]],
  [{ cpu: { cpus: allCpus } }, [{ cpu: { cpus: lastCpu } }, { cpu: { cpus: '0' }, pids: { limit: 7 } }]],
  [{ blockIO: { weight: 300 } }, [{ blockIO: { weight: 500 } }]],
]

/** Index of the updates that name memory or swap only. */
const mergedByRunc = updates.findIndex(([, [first]]) => first?.memory?.limit === 150 * M)

for (const [i, [resources, changes]] of updates.entries())
  test(`${stringify(resources)} is updated: ${changes.map(stringify).join(', then ')}`, async (context) => {
    // runc changes the limit of swap on v2 if only that of memory is named
    if (i === mergedByRunc) requires(context, 'v1 controllers')
    requires(context, 'runc(8)', 'root', 'busybox')
    const path = `${parent}/updated-${i}`
    const plan = planContainerGroups(path, host, resources, 'test')
    expect(createPlanned(plan.groups)).toBe(undefined)
    const results = [settingsOf(path)]
    for (const change of changes) {
      await updateGroups(plan.places, change, host)
      results.push(settingsOf(path))
    }
    expect(results).toEqual(settingsByRunc(place.path, `${parent}/runc-updated-${i}`, resources, changes))
  })

const refusedUpdates: [LinuxResources, LinuxResources, RegExp][] = [
  [{}, { pids: { limit: 5 }, cpu: { cpus: '9999' } }, /cannot set cpuset.cpus to 9999/],
  [{}, { cpu: { shares: 700, quota: 1 } }, /cannot set cpu.cfs_quota_us to 1/],
  [{}, { pids: { limit: 5 }, hugepageLimits: [{ pageSize: '3MB', limit: 1 }] }, /3MB/],
  [
    { memory: { limit: 64 * M, swap: 64 * M } },
    { pids: { limit: 5 }, memory: { limit: 65 * M } },
    /memory\+swap limit/,
  ],
  [{}, { pids: { limit: 5 }, memory: { swap: 65 * M } }, /unable to set swap limit without memory limit/],
]

for (const [resources, change, message] of refusedUpdates)
  test(`of a refused update, nothing stays: ${stringify(change)}`, async (context) => {
    requires(context, 'v1 controllers', 'root')
    const path = `${parent}/kept-${serial++}`
    const plan = planContainerGroups(path, host, resources, 'test')
    createPlanned(plan.groups)
    const before = settingsOf(path)
    await expect(updateGroups(plan.places, change, host)).rejects.toThrow(message)
    expect(settingsOf(path)).toEqual(before)
  })

test('a limit below the use is refused, if the caller wants the check', async (context) => {
  requires(context, 'root')
  const plan = planContainerGroups(`${parent}/used`, host, {}, 'test')
  createPlanned(plan.groups)
  // the memory is counted for the group in which the process is when it first uses it
  const enter = 'for group; do echo $$ > $group/cgroup.procs; done; exec dd if=/dev/zero of=/dev/null bs=32M'
  startQuiet('sh', ['-c', enter, 'sh', ...plan.groups.map(({ directory }) => directory)])
  const memory = plan.places.find(({ controller }) => controller === 'memory') ?? plan.places[0]!
  const use = () =>
    Number(
      readGroupFile(memory.directory, 'memory.usage_in_bytes') ?? readGroupFile(memory.directory, 'memory.current'),
    )
  await expect.poll(use).toBeGreaterThan(8 * M)
  await expect(
    updateGroups(plan.places, { pids: { limit: 3 }, memory: { limit: M, checkBeforeUpdate: true } }, host),
  ).rejects.toThrow(/more is in use/)
  endSleepers()
})

test('options of update are resources', () => {
  expect(resourcesOfFlags({ 'cpu-share': 2n, 'cpuset-cpus': '0', memory: 5n, 'pids-limit': -1n })).toEqual({
    cpu: { shares: 2n, cpus: '0' },
    memory: { limit: 5n },
    pids: { limit: -1n },
  })
})
