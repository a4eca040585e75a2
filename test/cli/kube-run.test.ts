// SPDX-License-Identifier: Apache-2.0
// hutch kube explain --run: the kernel has the explained figures in each group, on v2 and on v1.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { differences } from '../../src/kube/run-container.ts'
import { requires } from '../support/requires.ts'
import { changed, valid } from '../unit/kube/objects.ts'
import { hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-kube-run-`)
afterAll(() => rmSync(directory, { recursive: true }))
beforeEach((context) => {
  requires(context, 'hutch for Node')
  requires(context, 'root')
})

const write = (name: string, ...objects: object[]) => {
  writeFileSync(`${directory}/${name}`, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  return `${directory}/${name}`
}

const { v1, unified } = readHost()
const version = v1.memory ? 'v1' : 'v2'

/** Prints files of the group of a controller, and of the groups above it, as the kernel has them. */
function printFiles(controller: string, levels: number, file: string): string {
  const mount = version === 'v1' ? v1[controller]!.mount : unified!.mount
  const pattern = version === 'v1' ? `[0-9]*:${controller}:` : '0::'
  return `p=$(sed -n 's/^${pattern}//p' /proc/self/cgroup); cat "${mount}$p/${'../'.repeat(levels)}${file}"`
}

interface Ran {
  groups: { name: string; files: { [file: string]: { explained: string; kernel: string } }; missing: string[] }[]
  differences: object[]
  oomScoreAdj: number
  result: { reason: string; cgroup: { path: string } }
}

async function runAs(container: string, manifest: string, options: string[], ...argv: string[]) {
  const ended = await hutch(['kube', 'explain', '--json', ...options, '--run', container, manifest, '--', ...argv])
  const [output, json] = ended.stdout.split(/\n(?=\{"groups")/)
  return { ...ended, output: output!, ran: JSON.parse(json ?? 'null') as Ran }
}

test('each group has the explained figures, down to the container', async () => {
  const manifest = write('web.json', valid.Deployment!(), valid.Job!())
  const memory = version === 'v1' ? 'memory.limit_in_bytes' : 'memory.max'
  const [shares, quota] = version === 'v1' ? ['cpu.shares', 'cpu.cfs_quota_us'] : ['cpu.weight', 'cpu.max']
  const script = [
    printFiles('memory', 0, memory),
    printFiles('cpu', 0, shares),
    printFiles('cpu', 0, quota),
    printFiles('cpu', 1, shares),
    printFiles('cpu', 2, shares),
    printFiles('pids', 1, 'pids.max'),
    'cat /proc/self/oom_score_adj',
  ]
  const options = ['--kubernetes', '1.34', '--node', 'cpu=4,memory=16Gi', '--kubelet', 'podPidsLimit=200']
  const manifestOfJob = 'web/web'
  const { status, output, ran } = await runAs(
    'web',
    write('one.json', valid.Deployment!()),
    options,
    'sh',
    '-c',
    script.join('\n'),
  )
  expect(status).toBe(0)
  expect(output.trim().split('\n')).toEqual(
    version === 'v1'
      ? ['134217728', '256', '100000', '256', '768', '200', '997']
      : ['134217728', '10', '100000 100000', '10', '30', '200', '997'],
  )
  expect(ran.differences).toEqual([])
  expect(ran.groups.map(({ name }) => name)).toEqual(['kubepods', 'burstable', 'pod-web', 'web'])
  expect(ran.groups.flatMap(({ files }) => Object.values(files)).length).toBeGreaterThan(7)
  expect(existsSync(ran.result.cgroup.path)).toBe(false)
  // two workloads of the file have pods with this name
  expect(await hutch(['kube', 'explain', '--run', manifestOfJob, manifest, '--', 'true'])).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('several pods have this container'),
  })
})

test('memory protection, throttling and swap are set where the kernel has them', async (context) => {
  if (version === 'v1') return context.skip('needs cgroup v2 for memory')
  const options = ['--kubernetes', '1.33', '--node', 'cpu=4,memory=16Gi', '--kubelet', 'featureGates.MemoryQoS=true']
  // the files are read while the command runs
  const { ran } = await runAs('web', write('qos.json', valid.Pod!()), options, 'sleep', '1')
  expect(ran.differences).toEqual([])
  const files = Object.fromEntries(Object.entries(ran.groups.at(-1)!.files).map(([file, { kernel }]) => [file, kernel]))
  expect(files).toMatchObject({
    'memory.min': String(64 * 2 ** 20),
    'memory.high': String(Math.floor((64 + 0.9 * 64) * 256) * 4096),
    'memory.max': String(128 * 2 ** 20),
    'memory.oom.group': '1',
  })
  return undefined
})

test.for<[qos: string, resources: object, groups: string[]]>([
  ['Guaranteed', { limits: { cpu: '500m', memory: '64Mi' } }, ['kubepods', 'pod-web', 'web']],
  ['BestEffort', {}, ['kubepods', 'besteffort', 'pod-web', 'web']],
])('groups of a %s pod', async ([, resources, groups]) => {
  const pod = changed('Pod', 'spec.containers[0].resources', resources)
  delete (pod as { spec: { initContainers?: object } }).spec.initContainers
  const { ran, status } = await runAs('web', write('qos.json', pod), [], 'true')
  expect(status).toBe(0)
  expect([status, ran.groups.map(({ name }) => name), ran.differences]).toEqual([0, groups, []])
})

test('nothing of an object with an error is run, and its errors are printed; other objects run', async () => {
  const broken = changed('Pod', 'spec.containers[0].resources.limits.memory', '1GB')
  const manifest = write('two.json', broken, changed('Job', 'metadata.name', 'job'))
  const marker = `${directory}/ran`
  const run = (container: string) => hutch(['kube', 'explain', '--run', container, manifest, '--', 'touch', marker])
  const refused = await run('web/web')
  expect([refused.status, existsSync(marker)]).toEqual([125, false])
  expect(refused.stderr).toMatch(
    /limits\.memory is the text 1GB[\s\S]*give a quantity such as 1G\n[\s\S]*one of: job\//,
  )
  const other = await run('job/web')
  expect([other.status, existsSync(marker)]).toEqual([0, true])
  expect(other.stderr).toContain('is the text 1GB')
})

test('a file that the kernel shows with another value is reported', () => {
  const files = { 'cpu.weight': { explained: '10', kernel: '10' }, 'memory.max': { explained: '4096', kernel: 'max' } }
  expect(differences([{ name: 'web', files, missing: [] }])).toEqual([
    { group: 'web', file: 'memory.max', explained: '4096', kernel: 'max' },
  ])
})

test('a container that needs more is killed, with its verdict and status', async () => {
  const manifest = write('pod.json', changed('Pod', 'spec.containers[0].resources', { limits: { memory: '16Mi' } }))
  const words = ['-c', 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); exit 3']
  const { status, stderr } = await hutch(['kube', 'explain', '--run', 'web', manifest, '--', 'sh', ...words])
  expect(status).not.toBe(3)
  expect(stderr).toMatch(/OOM\): memory\.max \(16\.0 MiB\) was reached/)
  expect(stderr).toContain('raise resources.limits.memory of the container web')
  expect((await hutch(['kube', 'explain', '--run', 'web', manifest, '--', 'sh', '-c', 'exit 3'])).status).toBe(3)
})

test('a manifest is generated from a run, a report and a group', async () => {
  const made = await hutch([
    'kube',
    'generate',
    '--kind',
    'Job',
    '--image',
    'i:1',
    '--',
    'sh',
    '-c',
    'echo out; echo $0',
  ])
  expect([made.status, made.stderr]).toEqual([0, 'out\nsh\n'])
  expect(made.stdout).toMatch(/^kind: Job$[\s\S]* {12}limits:\n {14}memory: \d+Mi # peak of /m)
  writeFileSync(`${directory}/made.yaml`, made.stdout)
  expect(await hutch(['kube', 'explain', `${directory}/made.yaml`])).toMatchObject({ status: 0, stderr: '' })
  const failed = await hutch(['kube', 'generate', '--', 'sh', '-c', 'exit 7'])
  expect([failed.status, failed.stdout]).toEqual([7, ''])

  const report = `${directory}/report.json`
  await hutch(['run', '--report', report, '--memory', '64M', '--cpus', '0.5', '--', 'true'])
  const text = (await hutch(['kube', 'generate', report])).stdout
  expect(text).toMatch(/limits:\n +cpu: 500m # cpu.max is 50000 100000\n +memory: 64Mi # memory.max\n/)
})

test('the figures of a generated group are those of the group', async () => {
  const group = `kube-test-${process.pid}`
  const limits = [
    '--memory',
    '64M',
    '--cpus',
    '0.5',
    '--pids',
    '20',
    ...(version === 'v1' ? ['--set', 'cpu.shares=204'] : ['--cpu-weight', '30']),
  ]
  expect(await hutch(['cgroup', 'create', group, ...limits])).toMatchObject({ status: 0 })
  try {
    const made = await hutch(['kube', 'generate', group])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    expect(made.stdout).toContain('hutch.example/pids-max: "20"')
    writeFileSync(`${directory}/group.yaml`, made.stdout)
    const { stdout } = await hutch(['kube', 'explain', '--json', '--cgroup', version, `${directory}/group.yaml`])
    expect(JSON.parse(stdout).pods[0].containers[0].files).toMatchObject(
      version === 'v1'
        ? { 'cpu.shares': '204', 'cpu.cfs_quota_us': '50000', 'memory.limit_in_bytes': '67108864' }
        : { 'cpu.weight': '30', 'cpu.max': '50000 100000', 'memory.max': '67108864' },
    )
  } finally {
    await hutch(['cgroup', 'rm', group])
  }
})
