// SPDX-License-Identifier: Apache-2.0
// A value that was accepted is what the kernel's file holds, for every file that limits and through every way in.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { catalogFiles, describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import { controllerOf, legacyControllerOf, sharesFromWeight } from '../../../src/cgroup/v1/translate.ts'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, run } from '../../../src/index.ts'
import { hutch } from '../../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const host = readHost()
const device = readdirSync('/sys/block')
  .filter((name) => !name.startsWith('loop'))
  .map((name) => readFileSync(`/sys/block/${name}/dev`, 'utf8').trim())[0]

interface Row {
  file: string
  /** As a user types it. */
  value: string
  /** The kernel's text on v2. */
  v2: string
  /** The kernel's files and texts on v1, where it has the like. */
  v1?: { [file: string]: string }
  /** The drop-ins' own, where libcgroup has another formula. */
  dropIn?: { [file: string]: string }
}

const same = (file: string, value: string, text = value): Row => ({ file, value, v2: text, v1: { [file]: text } })

const table: Row[] = [
  { file: 'memory.max', value: '64M', v2: '67108864', v1: { 'memory.limit_in_bytes': '67108864' } },
  { file: 'memory.high', value: '48M', v2: '50331648' },
  { file: 'memory.low', value: '32M', v2: '33554432', v1: { 'memory.soft_limit_in_bytes': '33554432' } },
  { file: 'memory.min', value: '16M', v2: '16777216' },
  { file: 'memory.swap.max', value: '16M', v2: '16777216', v1: { 'memory.memsw.limit_in_bytes': '83886080' } },
  { file: 'memory.swap.high', value: '8M', v2: '8388608' },
  { file: 'memory.oom.group', value: '1', v2: '1' },
  { file: 'memory.zswap.max', value: '1M', v2: '1048576' },
  { file: 'memory.zswap.writeback', value: '0', v2: '0' },
  {
    file: 'cpu.max',
    value: '50000 200000',
    v2: '50000 200000',
    v1: { 'cpu.cfs_quota_us': '50000', 'cpu.cfs_period_us': '200000' },
  },
  { file: 'cpu.max.burst', value: '10000', v2: '10000', v1: { 'cpu.cfs_burst_us': '10000' } },
  {
    file: 'cpu.weight',
    value: '250',
    v2: '250',
    v1: { 'cpu.shares': String(sharesFromWeight(250)) },
    dropIn: { 'cpu.shares': '2560' },
  },
  same('cpu.uclamp.min', '12.5', '12.50'),
  same('cpu.uclamp.max', '50', '50.00'),
  same('cpuset.cpus', '0'),
  same('cpuset.mems', '0'),
  same('pids.max', '70'),
  {
    file: 'io.max',
    value: `${device} rbps=1M wiops=100`,
    v2: `${device} rbps=1048576 wbps=max riops=max wiops=100`,
    v1: {
      'blkio.throttle.read_bps_device': `${device} 1048576`,
      'blkio.throttle.write_iops_device': `${device} 100`,
    },
  },
  { file: 'io.weight', value: 'default 200', v2: 'default 200', v1: { 'blkio.bfq.weight': '200' } },
  { file: 'io.bfq.weight', value: 'default 300', v2: 'default 300', v1: { 'blkio.bfq.weight': '300' } },
  { file: 'io.latency', value: `${device} target=75000`, v2: `${device} target=75000` },
  { file: 'io.prio.class', value: 'idle', v2: 'idle', v1: { 'blkio.prio.class': 'idle' } },
  { file: 'hugetlb.2MB.max', value: '4M', v2: '4194304', v1: { 'hugetlb.2MB.limit_in_bytes': '4194304' } },
  { file: 'hugetlb.2MB.rsvd.max', value: '6M', v2: '6291456', v1: { 'hugetlb.2MB.rsvd.limit_in_bytes': '6291456' } },
]

/** Files that can be written and are not in the table. */
const others: { [file: string]: string } = {
  'cpu.weight.nice': 'another view of cpu.weight',
  'cpu.idle': 'it takes the place of cpu.weight',
  'cpuset.cpus.exclusive': 'it takes CPUs from the whole machine',
  'cpuset.cpus.partition': 'it takes CPUs from the whole machine',
  'memory.peak': 'it begins a count anew',
  'memory.swap.peak': 'it begins a count anew',
  'memory.reclaim': 'it is an action',
  'io.cost.qos': 'it is a file of the root group',
  'io.cost.model': 'it is a file of the root group',
  'rdma.max': 'it takes an adapter',
  'misc.max': 'it takes a resource of the processor',
  'dmem.max': 'it takes a graphics card',
  'dmem.low': 'it takes a graphics card',
  'dmem.min': 'it takes a graphics card',
}

test('every file of the catalogue that limits is in the table', () => {
  const named = new Set([...table.map(({ file }) => file), ...Object.keys(others)])
  const writable = catalogFiles('v2')
    .map((file) => file.replace('<size>', '2MB'))
    .filter((file) => describeFile(file)!.access !== 'read' && !/^cgroup\.|\.pressure$/.test(file))
  expect(writable.filter((file) => !named.has(file))).toEqual([])
})

const controllers = [...new Set(table.map(({ file }) => controllerOf(file)))].filter(
  (name) => host.v1[name] || (name === 'io' && host.v1.blkio) || unifiedHas(name),
)

function unifiedHas(name: string): boolean {
  return host.unified !== undefined && readFileSync(`${host.unified.mount}/cgroup.controllers`, 'utf8').includes(name)
}

/** The files of a row with their texts in each place where this host has them. */
function kernelFiles(
  { file, v2, v1, dropIn }: Row,
  isDropIn: boolean,
): [controller: string, file: string, text: string][] {
  const controller = legacyControllerOf(file)
  if (unifiedHas(controllerOf(file))) return [['', file, v2]]
  const texts = (isDropIn && dropIn) || v1 || {}
  return host.v1[controller] ? Object.entries(texts).map(([name, text]) => [controller, name, text]) : []
}

const name = `/hutch-test-${process.pid}-values`
let probe: Cgroup
let rows: Row[] = []

beforeAll(async () => {
  probe = await Cgroup.create(name, { controllers })
  rows = table.filter((row) => {
    const files = kernelFiles(row, false)
    return (
      files.length > 0 && files.every(([controller, file]) => existsSync(`${probe.directories[controller]}/${file}`))
    )
  })
  // with io.bfq.weight the same v1 file would be set twice
  if (host.v1.blkio) rows = rows.filter(({ file }) => file !== 'io.weight')
})

afterAll(async () => {
  await probe.remove({ recursive: true })
})

/** What the kernel has, and what it should have; a file of devices has a line for each that has a limit. */
function compare(directories: { readonly [controller: string]: string }, set: readonly Row[], isDropIn = false): void {
  const wanted = set.flatMap((row) => kernelFiles(row, isDropIn))
  const found = wanted.map(([controller, file]) => [
    controller,
    file,
    readFileSync(`${directories[controller]}/${file}`, 'utf8').trimEnd().split('\n')[0]!,
  ])
  expect(found).toEqual(wanted)
}

const assignments = () => rows.map(({ file, value }) => `${file}=${value}`)

/** Each sets all rows on a new group. */
const waysIn: { [way: string]: (path: string) => Promise<unknown> } = {
  'Cgroup.set': async (path) => {
    const group = await Cgroup.create(path, { controllers })
    for (const { file, value } of rows) await group.set(file, value)
  },
  'Cgroup.create': (path) =>
    Cgroup.create(path, { files: Object.fromEntries(rows.map(({ file, value }) => [file, value])) }),
  'hutch cgroup set': async (path) => {
    await Cgroup.create(path, { controllers })
    return hutch(['cgroup', 'set', path, ...assignments()])
  },
  'hutch cgroup create --set': (path) =>
    hutch(['cgroup', 'create', path, ...assignments().flatMap((word) => ['--set', word])]),
  cgset: async (path) => {
    await Cgroup.create(path, { controllers })
    return hutch(['cgset', ...assignments().flatMap((word) => ['-r', word]), path])
  },
  cgconfigparser: async (path) => {
    const folder = mkdtempSync(join(tmpdir(), 'hutch-values-'))
    const sections = [...new Set(rows.map(sectionOf))].map(
      (section) => [section, rows.filter((row) => sectionOf(row) === section)] as const,
    )
    const text = sections
      .map(([section, set]) => `${section} { ${set.map(({ file, value }) => `${file} = "${value}";`).join(' ')} }`)
      .join('\n')
    writeFileSync(`${folder}/cgconfig.conf`, `group ${path.slice(1)} {\n${text}\n}\n`)
    const ended = await hutch(['cgconfigparser', '-l', `${folder}/cgconfig.conf`])
    rmSync(folder, { recursive: true })
    return ended
  },
}

const sectionOf = ({ file }: Row) => (unifiedHas(controllerOf(file)) ? controllerOf(file) : legacyControllerOf(file))

test.each(Object.keys(waysIn))('%s: what was accepted is in the kernel', async (way) => {
  const path = `${name}/${way.replaceAll(/\W/g, '')}`
  const ended = (await waysIn[way]!(path)) as { status?: number; stderr?: string } | undefined
  if (ended && 'status' in ended) expect(ended).toMatchObject({ status: 0 })
  expect(rows.length).toBeGreaterThan(8)
  await using group = Cgroup.open(path)
  compare(group.directories, rows, way.startsWith('cg'))
})

describe('a run', () => {
  /** Prints each file of the job's own groups. */
  const script = () =>
    rows
      .flatMap((row) => kernelFiles(row, false))
      .map(([controller, file]) => `head -n1 ${probe.directories[controller]}/hutch-*/${file}`)
      .join('\n')
  const texts = () => rows.flatMap((row) => kernelFiles(row, false)).map(([, , text]) => text)
  const flags = () => rows.flatMap(({ file, value }) => ['--limit', `${file}=${value}`])

  test('of the library', async () => {
    const limits = Object.fromEntries(rows.map(({ file, value }) => [file, value]))
    const { stdout, stderr } = await run('sh', ['-c', script()], { limits, parent: name })
    expect({ stderr, lines: stdout!.trim().split('\n') }).toEqual({ stderr: '', lines: texts() })
  })

  test('of the command line', async () => {
    const { stdout, stderr } = await hutch(['run', '--parent', name, ...flags(), '--', 'sh', '-c', script()])
    expect({ stderr, lines: stdout.trim().split('\n') }).toEqual({ stderr: '', lines: texts() })
  })

  test('of a compiled file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hutch-values-'))
    execFileSync(hutchFile, [
      ...hutchArgs,
      'compile',
      '--output',
      `${folder}/job`,
      '--parent',
      name,
      ...flags(),
      '--',
      'sh',
      '-c',
      script(),
    ])
    const stdout = execFileSync(`${folder}/job`, { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect(stdout.trim().split('\n')).toEqual(texts())
  })
})

test('a suffix that the kernel would cut is written out by each way in; the kernel itself cuts it', async (context) => {
  requires(context, 'v1 controllers')
  await using group = await Cgroup.create(`${name}/suffix`)
  const file = `${group.directories.blkio}/blkio.throttle.write_bps_device`
  writeFileSync(file, `${device} 2M`)
  expect(readFileSync(file, 'utf8')).toBe(`${device} 2\n`)
  const word = `blkio.throttle.write_bps_device=${device}  3M`
  for (const args of [
    ['cgroup', 'set', group.path, word],
    ['cgset', '-r', word, group.path],
  ]) {
    writeFileSync(file, `${device} 2M`)
    expect(await hutch(args)).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(file, 'utf8')).toBe(`${device} 3145728\n`)
  }
  const job = await hutch([
    'run',
    '--parent',
    name,
    '--limit',
    word,
    '--',
    'sh',
    '-c',
    `cat ${probe.directories.blkio}/hutch-*/blkio.throttle.write_bps_device`,
  ])
  expect(job.stdout).toBe(`${device} 3145728\n`)
})

test('a file of devices takes one --limit for each; another file takes one', async () => {
  const [file, line] = ['io.max', `${device} rbps=1M`]
  const ended = await hutch(['run', '--limit', 'memory.max=64M', '--limit', 'memory.max=32M', '--', 'true'])
  expect(ended).toMatchObject({ status: 125, stderr: expect.stringContaining('given twice') })
  if (!rows.some((row) => row.file === file)) return
  const both = await hutch(['run', '--limit', `${file}=${line}`, '--limit', `${file}=${device} wbps=2M`, '--', 'true'])
  expect(both).toMatchObject({ status: 0, stderr: '' })
})
