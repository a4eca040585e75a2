// SPDX-License-Identifier: Apache-2.0
// A tree of groups is saved, removed and made again: the same tree.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import { isGroup, readFileNames, readOwner, walkGroups } from '../../../src/cgroup/files.ts'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup } from '../../../src/index.ts'
import { hutch } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

const top = `/hutch-test-${process.pid}`

const file = `${tmpdir()}/hutch-test-${process.pid}-tree.json`

afterEach(async () => {
  rmSync(file, { force: true })
  await Cgroup.open(top).remove({ recursive: true })
})

/** Every group with its owner and every file that can be set, as the kernel has them. */
function readTree(): { [path: string]: unknown } {
  const { unified, v1 } = readHost()
  const mounts = new Set([unified?.mount, ...Object.values(v1).map(({ mount }) => mount)])
  const tree: { [path: string]: unknown } = {}
  for (const mount of mounts)
    for (const directory of mount !== undefined && isGroup(`${mount}${top}`) ? walkGroups(`${mount}${top}`) : []) {
      const version = mount === unified?.mount ? 'v2' : 'v1'
      const files = readFileNames(directory).filter((name) => describeFile(name, version)?.access === 'read-write')
      tree[directory] = [
        readOwner(directory),
        Object.fromEntries(files.map((name) => [name, read(`${directory}/${name}`)])),
      ]
    }
  return tree
}

function read(path: string): string | undefined {
  // pressure moves by itself
  if (path.endsWith('.pressure') || /usage|peak/.test(path)) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

test('200 groups with limits and owners come back as they were', async (context) => {
  requires(context, 'root')
  const v2 = readHost().layout === 'v2'
  await Cgroup.create(top, { controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids'] })
  for (let i = 0; i < 200; i++) {
    const path = `${top}/team${i % 10}${i < 10 ? '' : `/job${i}`}`
    const group = await Cgroup.create(path, {
      controllers: i % 3 ? ['cpu', 'memory', 'pids'] : ['cpuset', 'memory', 'pids'],
      mayExist: true,
      files: { 'memory.max': (i + 100) * 2 ** 20, 'memory.swap.max': i * 4096, 'pids.max': i + 7 },
    })
    if (i % 3) await group.set('cpu.max', { quota: i < 10 ? 50_000 : 10_000 + i * 100, period: 50_000 })
    if (i % 3) await group.set('cpu.weight', 1 + i)
    if (i % 3 === 0) await group.set('cpuset.cpus', '0')
    if (v2 && i % 5 === 0) await group.set('memory.high', (i + 50) * 2 ** 20)
    if (v2 && i % 7 === 0) await group.set('memory.oom.group', true)
    if (i % 20 === 0) await group.delegate(1000 + i, 1000)
  }
  const before = readTree()
  expect(Object.keys(before).length).toBeGreaterThanOrEqual(201)
  expect(await hutch(['cgroup', 'save', '--output', file, top])).toMatchObject({ status: 0, stderr: '' })
  expect(await hutch(['cgroup', 'rm', '--recursive', top])).toMatchObject({ status: 0, stderr: '' })
  expect(Object.keys(readTree()).filter((path) => path.includes('team'))).toEqual([])
  const dry = await hutch(['cgroup', 'apply', '--dry-run', file])
  expect(dry).toMatchObject({ status: 0, stderr: '' })
  expect(dry.stdout.match(/^make /gm)!.length).toBe(Object.keys(before).length)
  expect(() => Cgroup.open(top)).toThrow(/cannot find/)
  expect(await hutch(['cgroup', 'apply', '--quiet', file])).toMatchObject({ status: 0, stderr: '', stdout: '' })
  expect(readTree()).toEqual(before)
  // once more: nothing is left to do
  expect(await hutch(['cgroup', 'apply', file])).toMatchObject({ status: 0, stdout: '' })
})

test('when one value is refused, all is as it was', async () => {
  await Cgroup.create(top, { files: { 'pids.max': 10 } })
  expect(await hutch(['cgroup', 'save', '-o', file, top])).toMatchObject({ status: 0 })
  const snapshot = JSON.parse(readFileSync(file, 'utf8'))
  const own = snapshot.groups.find((group: { files: object }) => 'pids.max' in group.files)
  snapshot.groups.push({ ...own, path: `${top}/a/b`, files: {} })
  snapshot.groups.push({ ...own, files: { 'pids.max': '99' } })
  snapshot.groups.push({ ...own, files: { 'pids.max': '-7' } })
  writeFileSync(file, JSON.stringify(snapshot))
  const { status, stderr } = await hutch(['cgroup', 'apply', file])
  expect([status, stderr]).toEqual([125, expect.stringMatching(/cannot set pids\.max to -7 in .*EINVAL/)])
  const group = Cgroup.open(top)
  expect([group.get('pids.max'), group.children()]).toEqual([10, []])
})

test.each([
  ['{', 'not JSON'],
  ['{"hutch":"cgroups 2","groups":[]}', '/hutch'],
  ['{"hutch":"cgroups 1","groups":[{"path":"/../etc","hierarchy":"v2","files":{}}]}', '/groups/0/path'],
  ['{"hutch":"cgroups 1","groups":[{"path":"/x","hierarchy":"v2","files":{"../x":"1"}}]}', '/groups/0/files'],
  ['{"hutch":"cgroups 1","groups":[{"path":"/x","hierarchy":"v2","files":{"cgroup.procs":"1"}}]}', 'holds no setting'],
  ['{"hutch":"cgroups 1","groups":[{"path":"/x","hierarchy":"none","files":{}}]}', '/groups/0/hierarchy'],
  ['{"hutch":"cgroups 1","groups":[{"path":"/x","hierarchy":"v2","files":{},"x":1}]}', 'there is no such key'],
])('a file with %s is refused, naming the place', async (text, words) => {
  await Cgroup.create(top)
  const path = `${tmpdir()}/hutch-test-${process.pid}.json`
  writeFileSync(path, text)
  const { status, stderr } = await hutch(['cgroup', 'apply', path])
  rmSync(path)
  expect([status, stderr]).toEqual([125, expect.stringContaining(words)])
})
