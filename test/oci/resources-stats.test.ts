// SPDX-License-Identifier: Apache-2.0
// The figures of a container beside runc's, number by number; and what is reported when memory runs out.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { writeGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { removeGroups } from '../../src/oci/resources/groups.ts'
import { watchOomKills } from '../../src/oci/resources/oom.ts'
import { planContainerGroups } from '../../src/oci/resources/plan-groups.ts'
import { formatExactJson } from '../../src/oci/resources/stat-values.ts'
import { readContainerStats } from '../../src/oci/resources/stats.ts'
import { makeImage, workplace } from '../support/image.ts'
import { createPlanned, removeEverywhere } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'

const host = readHost()
const parent = `/hutch-test-${process.pid}-stats`
const place = workplace()
const runc = (...args: string[]) =>
  spawnSync('runc', ['--root', `${place.path}/runc`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })

afterAll(() => {
  removeEverywhere(parent)
  place.remove()
})

test('all figures are those of runc', (context) => {
  requires(context, 'runc(8)', 'root', 'busybox', 'v1 controllers')
  makeImage(`${place.path}/rootfs`)
  execFileSync('runc', ['spec', '--bundle', place.path])
  const config = JSON.parse(readFileSync(`${place.path}/config.json`, 'utf8'))
  config.process.terminal = false
  config.process.args = ['/bin/true']
  config.linux.cgroupsPath = `${parent}/one`
  config.linux.resources = { memory: { limit: 2 ** 26, swap: 2 ** 27 }, pids: { limit: 9 }, cpu: { quota: 50_000 } }
  writeFileSync(`${place.path}/config.json`, JSON.stringify(config))
  // the container keeps its streams open
  spawnSync('runc', ['--root', `${place.path}/runc`, 'create', '--bundle', place.path, 'one'], { stdio: 'ignore' })
  try {
    expect(runc('pause', 'one').status).toBe(0)
    const { places } = planForExisting(`${parent}/one`)
    const { ours, data } = readBoth(places)
    expect(JSON.parse(ours)).toEqual(data)
    // numbers above 53 bits have all of their digits
    expect(ours).toContain('"limit":9223372036854771712')
    // the order of the properties is runc's too
    expect(Object.keys(JSON.parse(ours))).toEqual(Object.keys(data))
  } finally {
    runc('resume', 'one')
    runc('delete', '--force', 'one')
  }
})

/**
 * Reads the figures of the container, which is frozen, by both. The kernel can still free memory that was charged to it:
 * reads again until a second reading of hutch shows the same.
 */
function readBoth(places: Parameters<typeof readContainerStats>[0]) {
  for (;;) {
    const before = formatExactJson(readContainerStats(places))
    const { data } = JSON.parse(runc('events', '--stats', 'one').stdout)
    const ours = formatExactJson(readContainerStats(places))
    if (before === ours) return { ours, data }
  }
}

/** The places of a path that already has a container. */
function planForExisting(path: string) {
  const other = planContainerGroups(`${path}-other`, host, {}, 'test')
  return { places: other.places.map((one) => ({ ...one, directory: one.directory.replace(/-other$/, '') })) }
}

test('a kill for lack of memory is reported, and the end of the groups', async (context) => {
  requires(context, 'root')
  const limit = 16 * 2 ** 20
  const plan = planContainerGroups(`${parent}/oom`, host, { memory: { limit, swap: limit } }, 'test')
  expect(createPlanned(plan.groups)).toBe(undefined)
  let stop = () => {}
  const ends: Promise<void>[] = []
  const kill = new Promise<void>((killed) => {
    ends.push(
      new Promise((ended) => {
        stop = watchOomKills(plan.places, killed, ended)
      }),
    )
  })
  try {
    const child = spawn('sh', ['-c', 'read go; exec dd if=/dev/zero of=/dev/null bs=64M count=1'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    for (const { directory } of plan.groups) writeGroupFile(directory, 'cgroup.procs', String(child.pid))
    const exit = new Promise((resolve) => child.once('exit', (_status, signal) => resolve(signal)))
    child.stdin.end('go\n')
    expect(await exit).toBe('SIGKILL')
    await kill
    removeGroups(plan.places)
    await ends[0]
  } finally {
    stop()
  }
})
