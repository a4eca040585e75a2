// SPDX-License-Identifier: Apache-2.0
// hutch kube explain, as a user types it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { changed, valid } from '../unit/kube/objects.ts'
import { hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-kube-`)
afterAll(() => rmSync(directory, { recursive: true }))
beforeEach((context) => requires(context, 'hutch for Node'))

const write = (name: string, ...objects: object[]) => {
  writeFileSync(`${directory}/${name}`, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  return `${directory}/${name}`
}
const node = ['--node', 'cpu=4,memory=16Gi']

test('a manifest is explained; its exit status tells whether the API server would accept it', async () => {
  const good = await hutch(['kube', 'explain', ...node, write('good.json', valid.Deployment!(), valid.Job!())])
  expect(good).toMatchObject({ status: 0, stderr: '' })
  expect(good.stdout).toMatch(/^Deployment default\/web, 3 pods: Burstable$/m)
  expect(good.stdout).toMatch(/^ {4}web +35 +100000 100000 +134217728 .* 997$/m)
  const bad = write('bad.json', changed('Pod', 'spec.containers[0].resources.limits.memory', '1GB'), valid.Job!())
  const ended = await hutch(['kube', 'explain', ...node, bad])
  expect(ended.status).toBe(1)
  expect(ended.stderr).toBe(
    `${bad}:1: error: Pod web: spec.containers[0].resources.limits.memory is the text 1GB, not a quantity\n  remedy: give a quantity such as 1G\n`,
  )
  expect(ended.stdout).toMatch(/^Job default\/web: Burstable$/m)
})

test('standard input, JSON, and the size of this host', () => {
  const input = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [valid.Pod!(), { apiVersion: 'v1', kind: 'Service' }],
  })
  const { status, stdout } = spawnSync(hutchFile, [...hutchArgs, 'kube', 'explain', '--json', '-'], {
    input,
    encoding: 'utf8',
  })
  expect(status).toBe(0)
  const { node, pods, ignored, problems } = JSON.parse(stdout)
  expect(node.memory).toBeGreaterThan(2 ** 27)
  expect(pods[0]).toMatchObject({
    kind: 'Pod',
    name: 'web',
    qosClass: 'Burstable',
    containers: [{ kind: 'init' }, { name: 'web' }],
  })
  expect([ignored, problems]).toEqual([{ Service: 1 }, []])
})

test('settings of a kubelet from a file and the command line', async () => {
  const config = `${directory}/kubelet.yaml`
  writeFileSync(
    config,
    'kind: KubeletConfiguration\npodPidsLimit: 99\nfeatureGates: {MemoryQoS: true}\nevictionHard: {memory.available: 1Gi}\n',
  )
  const explain = ['kube', 'explain', '--json', '--kubernetes', '1.33', ...node, '--kubelet-config', config]
  const { stdout } = await hutch([...explain, '--kubelet', 'podPidsLimit=100', write('pod.json', valid.Pod!())])
  const { pods, allocatable } = JSON.parse(stdout)
  expect(pods[0].files).toMatchObject({ 'pids.max': '100', 'memory.min': '67108864' })
  expect(allocatable.memory).toBe(15 * 2 ** 30)
  expect(await hutch([...explain, '--kubelet', 'x', '-'])).toMatchObject({ status: 125 })
  writeFileSync(config, 'podPidsLimit: 99\npodPidsLimit: 100\n')
  expect(await hutch([...explain, '-'])).toMatchObject({
    status: 125,
    stderr: expect.stringMatching(/line 2 has a key twice in one map/),
  })
})

test.for<[args: string[], words: RegExp]>([
  [['--kubernetes', '1.5', '-'], /invalid value 1\.5 for --kubernetes/],
  [['--node', '4', '-'], /for --node/],
  [['--cgroup', 'v3', '-'], /for --cgroup/],
  [['--usage', 'web', '-'], /for --usage/],
  [['/nonexistent.yaml'], /cannot read the manifest/],
  [['a.yaml', 'b.yaml'], /unexpected argument b\.yaml/],
])('%j is refused', async ([args, words]) => {
  const { status, stderr } = await hutch(['kube', 'explain', ...args])
  expect([status, stderr]).toEqual([125, expect.stringMatching(words)])
})

test('hostile names do not control the terminal', async () => {
  const { stdout, stderr } = await hutch([
    'kube',
    'explain',
    write('odd.json', changed('Pod', 'metadata.name', 'a\u001b[31m')),
  ])
  expect(stdout + stderr).not.toContain('\u001b')
})
