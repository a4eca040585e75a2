// SPDX-License-Identifier: Apache-2.0
// Limits that the kernel takes in one order only, or refuses: what is set is in the kernel, and a refusal names what stands against it.
// Runs alone: it takes CPUs for one group alone.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup } from '../../src/index.ts'
import { hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, type Ended, hutch } from './hutch.ts'

const host = readHost()
const top = `/hutch-test-${process.pid}-refusals`
const work = mkdtempSync(`${tmpdir()}/hutch-refusals-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

beforeEach((context) => requires(context, 'root'))
afterEach(async () => {
  await hutch(['cgroup', 'rm', '--recursive', top])
})

const done: Ended = { status: 0, stdout: '', stderr: '' }
const create = async (path: string, ...values: string[]) => {
  const words = values.flatMap((value) => ['--set', value])
  expect(await hutch(['cgroup', 'create', path, ...words])).toMatchObject({ status: 0, stderr: '' })
}
const set = (path: string, ...values: string[]) => hutch(['cgroup', 'set', path, ...values])

/** The first words of the kernel's file of a v1 group, or of a v2 group (''). */
function kernelText(controller: string, path: string, file: string): string {
  const mount = controller === '' ? host.unified!.mount : host.v1[controller]!.mount
  return readFileSync(`${mount}${path}/${file}`, 'utf8').trim()
}

const disk = () => readdirSync('/sys/block').find((one) => /^(loop|zram|vd|sd|nvme)/.test(one))!

function expectRefused(ended: Ended, ...said: (string | RegExp)[]): void {
  expect(ended.status).toBeGreaterThan(0)
  for (const words of said) expect(ended.stderr).toMatch(words)
}

/** Each from the one before it; below a parent of one CPU, the kernel takes some with the quota first, some with the period. */
const shares: [quota: number, period: number][] = [
  [50_000, 100_000],
  [5_000, 5_000],
  [900_000, 900_000],
  [2_000, 4_000],
  [1_000, 1_000_000],
  [1_000, 1_000],
  [100_000, 100_000],
]

test("v1: every share up to the parent's is set, whatever it was before", async (context) => {
  requires(context, 'v1 controllers')
  await create(top, 'cpu.max=100000 100000')
  await create(`${top}/below`)
  for (const [quota, period] of shares) {
    expect(await set(`${top}/below`, `cpu.max=${quota} ${period}`)).toEqual(done)
    const found = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) => kernelText('cpu', `${top}/below`, file))
    expect(found).toEqual([String(quota), String(period)])
  }
})

test('control: with the quota always first, the kernel refuses some of these', async (context) => {
  requires(context, 'v1 controllers')
  await create(top, 'cpu.max=100000 100000')
  await create(`${top}/below`)
  const directory = `${host.v1.cpu!.mount}${top}/below`
  const errors = shares.map(([quota, period]) => {
    try {
      writeFileSync(`${directory}/cpu.cfs_quota_us`, String(quota))
      writeFileSync(`${directory}/cpu.cfs_period_us`, String(period))
      return undefined
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  })
  expect(errors).toContain('EINVAL')
})

test("v1: a larger share than the parent's is refused with both, and a parent below its child names the child", async (context) => {
  requires(context, 'v1 controllers')
  await create(top, 'cpu.max=50000 100000')
  await create(`${top}/below`, 'cpu.max=40000 100000')
  expectRefused(await set(`${top}/below`, 'cpu.max=60000 100000'), /0\.5 CPUs/, `${top} has 50000`)
  expectRefused(await set(top, 'cpu.max=30000 100000'), `${top}/below has 40000`)
  expectRefused(await hutch(['run', '--cpus', '2', '--parent', top, '--', 'true']), '--cpus', /at most 0\.5 CPUs/)
  expect(await hutch(['run', '--cpus', '0.5', '--parent', top, '--', 'true'])).toEqual(done)
  // the sandbox's own share is larger: the parent's holds
  expect(await hutch(['run', '--sandbox', '--parent', top, '--', 'true'])).toEqual(done)
})

test('CPUs and memory nodes: set where they exist, else a refusal says which exist', async () => {
  const controller = host.v1.cpuset ? 'cpuset' : ''
  expect(await hutch(['cgroup', 'create', top, '--cpuset-cpus', '0'])).toMatchObject({ status: 0, stderr: '' })
  expect(kernelText(controller, top, 'cpuset.cpus')).toBe('0')
  const last = availableParallelism() - 1
  const lacking = await set(top, 'cpuset.cpus=900')
  expectRefused(lacking, last === 0 ? /has the CPUs? 0/ : `has the CPUs 0-${last}`)
  expectRefused(await set(top, 'cpuset.mems=60'), /memory nodes? 0/)
  expect(kernelText(controller, top, 'cpuset.cpus')).toBe('0')
})

/** Groups of others with CPUs: beside them, the kernel gives no group CPUs for itself. */
function holdersOfCpus(except: string[]): string[] {
  const { mount } = host.v1.cpuset!
  const groups = readdirSync(mount, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const names = groups.map(({ name }) => `/${name}`).filter((name) => !except.includes(name))
  return names.filter((name) => kernelText('cpuset', name, 'cpuset.cpus') !== '')
}

test('v1: CPUs that a sibling has to itself are refused, and the sibling is named', async (context) => {
  requires(context, 'v1 controllers')
  const [holder, other] = [`${top}-holder`, `${top}-other`]
  try {
    await create(holder, 'cpuset.cpus=0')
    await create(other, 'cpuset.cpus=1')
    // what has just ended may still be removed; what stays must not be there
    await expect.poll(() => holdersOfCpus([holder, other]), { timeout: 20_000 }).toEqual([])
    writeFileSync(`${host.v1.cpuset!.mount}${holder}/cpuset.cpu_exclusive`, '1')
    expectRefused(await set(other, 'cpuset.cpus=0'), holder)
  } finally {
    await hutch(['cgroup', 'rm', holder, other])
  }
})

test('v1: cgset of memory above memory and swap names that file and its value', async (context) => {
  requires(context, 'v1 controllers')
  await create(top, 'memory.max=64M', 'memory.swap.max=0')
  const refused = await hutch(['cgset', '-r', 'memory.limit_in_bytes=128M', top])
  expectRefused(refused, 'memory.memsw.limit_in_bytes of the group is 67108864')
  expect(refused.stderr).not.toMatch(/such as \d+/)
  expect(await set(top, 'memory.max=128M', 'memory.swap.max=0')).toEqual(done)
  expect(kernelText('memory', top, 'memory.limit_in_bytes')).toBe('134217728')
})

test('a mount section of cgconfig.conf mounts a named hierarchy', async (context) => {
  requires(context, 'v1 controllers')
  const [name, directory] = [`name=hutch-test-${process.pid}`, `${work}/named`]
  mkdirSync(directory)
  writeFileSync(`${work}/cgconfig.conf`, `mount { "${name}" = ${directory}; }\ngroup made { "${name}" { } }\n`)
  // in a mount namespace of its own, with which the hierarchy ends
  const script = `hutch cgconfigparser -l ${work}/cgconfig.conf && grep -c ",${name} " /proc/self/mounts; ls -d ${directory}/made; rmdir ${directory}/made`
  const inside = script.replace('hutch', hutchLine)
  expect(await collect('unshare', ['--mount', 'sh', '-c', inside])).toEqual({
    ...done,
    stdout: `1\n${directory}/made\n`,
  })
  // the kernel keeps a hierarchy that is unmounted while it removes a group: then the next unmount ends it
  const isKept = () => readFileSync('/proc/self/cgroup', 'utf8').includes(`:${name}:`)
  const again = `mount -t cgroup -o none,${name} cgroup ${directory}`
  await expect
    .poll(async () => isKept() && (await collect('unshare', ['--mount', 'sh', '-c', again])) && isKept())
    .toBe(false)
})

test('v2: a limit below what the start itself needs is said to be too low', async (context) => {
  requires(context, 'v2')
  const ended = await hutch(['run', '--memory', '4096', '--', 'true'])
  expectRefused(ended, '--memory is 4.0 KiB: less than the kernel needs for a process', 'give --memory at least 1M')
})

test.for<[string, RegExp]>([
  ['memory.limit_in_bytes=64M', /--memory 67108864/],
  ['cpu.shares=512', /--cpu-weight \d+/],
  ['cpu.cfs_quota_us=50000', /--limit 'cpu\.max=50000 100000'/],
  ['blkio.throttle.write_bps_device=DEVICE 1048576', /--io-max 'DEVICE wbps=1048576'/],
])(
  'v2: the v1 name of %s is refused with the option and value to use, which works',
  async ([word, remedy], context) => {
    requires(context, 'v2')
    const device = readFileSync(`/sys/block/${disk()}/dev`, 'utf8').trim()
    const limit = word.replace('DEVICE', device)
    const refused = await hutch(['run', '--limit', limit, '--', 'true'])
    expectRefused(refused, new RegExp(remedy.source.replace('DEVICE', device)))
    const [, option] = /use (--.*)$/m.exec(refused.stderr)!
    expect(await collect('sh', ['-c', `${hutchLine} run ${option} -- true`])).toEqual(done)
    await create(top)
    const [, file, value] = /^(.*?)=(.*)$/.exec(limit)!
    expectRefused(await set(top, `${file}=${value}`), /cgroup v1/)
    const controller = file!.split('.')[0]
    writeFileSync(`${work}/v1.conf`, `group ${top.slice(1)} { ${controller} { ${file} = "${value}"; } }\n`)
    expectRefused(await hutch(['cgconfigparser', '-l', `${work}/v1.conf`]), /v1|v2|io/)
  },
)

test('hybrid: so is the v1 name of a controller in the v2 tree', async (context) => {
  requires(context, 'a hybrid host with hugetlb in its v2 tree')
  const refused = await hutch(['run', '--limit', 'hugetlb.2MB.limit_in_bytes=2M', '--', 'true'])
  expectRefused(refused, '--limit hugetlb.2MB.max=2097152')
})

test('v2: a parent that is domain threaded is told so', async (context) => {
  requires(context, 'v2')
  await Cgroup.create(top, { controllers: [] })
  const threads = await Cgroup.create(`${top}/threads`, { controllers: [] })
  await threads.set('cgroup.type', 'threaded')
  expectRefused(await hutch(['run', '--memory', '50M', '--parent', top, '--', 'true']), 'domain threaded')
})

test('a device by name is refused with its number, by every command, and by path run and set accept it', async () => {
  const name = disk()
  const number = readFileSync(`/sys/block/${name}/dev`, 'utf8').trim()
  await create(top)
  const commands = (device: string) => [
    ['run', '--limit', `io.max=${device} wbps=1M`, '--', 'true'],
    ['cgroup', 'set', top, `io.max=${device} wbps=1M`],
    ['cgset', '-r', `io.max=${device} wbps=1M`, top],
  ]
  for (const args of commands(name)) expectRefused(await hutch(args), `${name} is ${number}`)
  for (const args of [
    ...commands(`/dev/${name}`).slice(0, 2),
    ['run', '--io-max', `/dev/${name}:wbps=1M`, '--', 'true'],
  ])
    expect(await hutch(args)).toMatchObject({ status: 0, stderr: '' })
  expect((await hutch(['cgroup', 'get', top, 'io.max'])).stdout).toContain(`${number} `)
})
