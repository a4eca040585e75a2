// SPDX-License-Identifier: Apache-2.0
// The kernel files of a container's groups, beside runc: the same resources give the same files.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isGroup, readFileNames, readGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import type { LinuxResources } from '../../src/oci/resources/linux-resources.ts'
import { planContainerGroups } from '../../src/oci/resources/plan-groups.ts'
import { makeImage, workplace } from '../support/image.ts'
import { createPlanned, removeEverywhere } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'

const host = readHost()
const parent = `/hutch-test-${process.pid}-oci`
const place = workplace()
const disk = execFileSync('lsblk', ['-dnro', 'MAJ:MIN'], { encoding: 'utf8' }).split('\n')[0]!
const [major, minor] = disk.split(':').map(Number) as [number, number]

/** Files that hold what was set, not what is used. */
const settings =
  /^(cpu\.(shares|idle|cfs_\w+|rt_\w+|weight|max|max\.burst)|cpuset\.(cpus|mems)|memory\.(limit_in_bytes|memsw\.limit_in_bytes|soft_limit_in_bytes|swappiness|oom_control|max|low|high|swap\.max)|pids\.max|devices\.list|blkio\.(bfq\.|leaf_)?weight(_device)?|blkio\.throttle\.\w+_device|io\.(max|weight|bfq\.weight)|hugetlb\.\w+\.(rsvd\.)?(max|limit_in_bytes)|cgroup\.max\.\w+)$/

/** Returns the settings of a group in all hierarchies, as lines. */
function settingsOf(path: string): string[] {
  const mounts = new Set([...Object.values(host.v1), ...(host.unified ? [host.unified] : [])].map(({ mount }) => mount))
  return [...mounts].flatMap((mount) =>
    readFileNames(`${mount}${path}`)
      .filter((file) => settings.test(file))
      .map((file) => `${mount}/${file}: ${readGroupFile(`${mount}${path}`, file)?.split('\n').toSorted()}`),
  )
}

beforeAll(() => {
  makeImage(`${place.path}/rootfs`)
})

afterAll(() => {
  removeEverywhere(parent)
  place.remove()
})

/** Creates a container by runc, reads its groups' settings, and deletes it. */
function byRunc(name: string, resources: LinuxResources): string[] | string {
  const path = `${parent}/${name}`
  const bundle = `${place.path}/${name}`
  mkdirSync(bundle)
  execFileSync('runc', ['spec', '--bundle', bundle])
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8'))
  config.root.path = `${place.path}/rootfs`
  config.process.terminal = false
  config.process.args = ['/bin/true']
  config.linux.cgroupsPath = path
  config.linux.resources = resources
  writeFileSync(`${bundle}/config.json`, stringify(config))
  const root = `${place.path}/runc`
  // the container keeps its streams open
  const made = spawnSync('runc', ['--root', root, '--log', `${bundle}/log`, 'create', '--bundle', bundle, name], {
    stdio: 'ignore',
  })
  try {
    return made.status === 0 ? settingsOf(path) : readFileSync(`${bundle}/log`, 'utf8')
  } finally {
    spawnSync('runc', ['--root', root, 'delete', '--force', name])
  }
}

/** JSON with the digits of bigints. */
function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `#${part}#` : part)).replace(
    /"#(-?\d+)#"/g,
    '$1',
  )
}

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
  { cpu: { cpus: '0-1', mems: '0' } },
  { cpu: { cpus: '1', shares: 100, quota: 10_000 } },
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

/** Resources that both refuse. */
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
    expect(settingsOf(path)).toEqual(byRunc(`runc-${i}`, resources))
  })

for (const [i, resources] of refused.entries())
  test(`${stringify(resources)} is refused`, (context) => {
    requires(context, 'runc(8)', 'root', 'busybox')
    const attempt = () => createPlanned(planContainerGroups(`${parent}/refused-${i}`, host, resources, 'test').groups)
    const result = (() => {
      try {
        return attempt()
      } catch (error) {
        return String(error)
      }
    })()
    expect(result).toBeTypeOf('string')
    expect(byRunc(`runc-refused-${i}`, resources)).toBeTypeOf('string')
  })
