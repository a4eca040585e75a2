// SPDX-License-Identifier: Apache-2.0
// Where a job's groups are: within the limits of whoever starts it, and below a named parent wherever that exists.
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { isGroup, removeTree } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { hutchAs } from '../support/anyone.ts'
import { hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, type Ended, hutch } from './hutch.ts'

const host = readHost()
const v2 = host.layout === 'v2'
const name = `hutch-test-${process.pid}-place`
const mountOf = (controller: string) => (v2 ? host.unified! : (host.v1[controller] ?? host.unified!)).mount
const memoryFile = v2 ? 'memory.max' : 'memory.limit_in_bytes'
const node = process.execPath
const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** A group of this name in one hierarchy, with these files written. */
function make(controller: string, files: { [file: string]: string } = {}, path = name): string {
  const directory = `${mountOf(controller)}/${path}`
  if (v2) writeFileSync(`${mountOf('')}/cgroup.subtree_control`, '+memory +pids +cpu +cpuset')
  mkdirSync(directory, { recursive: true })
  for (const [file, value] of Object.entries(files)) writeFileSync(`${directory}/${file}`, value)
  return directory
}

const limited = (size = '64M') => [make('memory', { [memoryFile]: size }), make('pids', { 'pids.max': '60' })]

/** Runs this line of the shell in these groups; a command behind `exec` is then alone in them. */
const within = (groups: string[], line: string): Promise<Ended> =>
  collect('sh', ['-c', `${groups.map((group) => `echo $$ > ${group}/cgroup.procs; `).join('')}${line}`])

/** What stands before a command to start it in these groups. */
const enter = (groups: string[]) => [
  'sh',
  '-c',
  `${groups.map((group) => `echo $$ > ${group}/cgroup.procs; `).join('')}exec "$@"`,
  'sh',
]

/** A user without any rights. */
const uid = 61_234

const hog = 'hutch hog 200M'
const run = (...args: string[]) => `${hutchLine} run ${args.join(' ')}`

afterEach(async () => {
  rmSync(`/tmp/${name}.compiled`, { force: true })
  const directories = new Set([host.unified, ...Object.values(host.v1)].flatMap((one) => (one ? [one.mount] : [])))
  for (const mount of directories)
    for (let tries = 0; tries < 100 && isGroup(`${mount}/${name}`) && !removeTree(`${mount}/${name}`); tries++)
      await pause(20)
  for (const mount of directories) expect(isGroup(`${mount}/${name}`)).toBe(false)
})

test('without hutch a process in a group of 64 MiB is held, and one that goes to the root is not', async () => {
  const groups = limited()
  const held = await within(groups, `exec ${node} -e "Buffer.alloc(200 * 2 ** 20, 1)"`)
  expect(held.status).not.toBe(0)
  const root = `echo $$ > ${mountOf('memory')}/cgroup.procs; exec ${node} -e "Buffer.alloc(200 * 2 ** 20, 1)"`
  expect(await within(groups, root)).toMatchObject({ status: 0 })
})

test.each([
  ['with no limit of its own', `exec ${run('--', hog)}`],
  ['with no limit of its own, beside a shell', `${run('--', hog)}; exit $?`],
  ['with no group of its own to be limited', `${run('--isolate none --', hog)}; exit $?`],
  ['with a larger limit', `exec ${run('--memory 400M --', hog)}`],
  ['with a larger limit, beside a shell', `${run('--memory 400M --', hog)}; exit $?`],
  ['with another limit, beside a shell', `${run('--pids 30 --', hog)}; exit $?`],
  // with room for two of Node: the kernel kills the largest, and that shall be the hog
  ['in two levels', `exec ${run('--memory 300M --', run('--memory 400M --', hog))}`, '128M'],
])("a job %s is held by its caller's group", async (_, line, size?: string) => {
  const { status, stderr } = await within(limited(size), line)
  expect({ status, stderr }).toEqual({ status: 137, stderr: expect.stringContaining(`/${name}`) })
})

test("a user's job without any group of its own is told whose limit it was", async () => {
  const groups = limited()
  const line = ['run', '--limit', 'none', '--', 'hutch', 'hog', '200M']
  const { status, stderr } = await (await hutchAs(uid, line, enter(groups))).ended
  expect({ status, stderr }).toEqual({
    status: 137,
    stderr:
      expect.stringMatching(`^hutch: 1 process was killed \\(OOM\\): memory.max \\(64.0 MiB\\) of a group above it, ${groups[0]}, was reached; hutch was killed by SIGKILL
  whose limit  a group above: ${groups[0]}
  not certain  the kernel's log, which root can read, names the group whose limit was hit
  remedy       raise the limit, to measure how much it needs: hutch cgroup set ${groups[0]} memory.max=\\d+[MG]; then read its peak: hutch cgroup get ${groups[0]} memory.peak; or run it below another group with --parent
$`),
  })
})

test("a job within its caller's limits is not bothered", async () => {
  const { status, stderr } = await within(limited(), `exec ${run('--memory 50M --', 'hutch hog 20M')}`)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('a limit of tasks holds, too', async () => {
  const { status } = await within(
    [make('pids', { 'pids.max': '40' })],
    `${run('--pids 500 --', "sh -c 'for i in $(seq 60); do sleep 5 & done; wait'")}; exit $?`,
  )
  expect(status).not.toBe(0)
})

test('on v2, limits that the job cannot be below are told, with group, file and value', async (context) => {
  requires(context, 'v2')
  const { status, stderr } = await within(limited(), `${run('--memory 400M --', 'true')}; exit $?`)
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: `hutch: warning: the job is outside of a group of its caller: processes in that group prevent hutch from creating limited groups in it
  memory.max   67108864 of ${mountOf('')}/${name}: set for the job itself
`,
  })
})

test('limits add up three levels deep, whatever namespaces are between', async () => {
  const inner = run('--memory 400M --', hog)
  const middle = run('--isolate all --memory 300M --', inner)
  const { status, stderr } = await collect('sh', [
    '-c',
    `exec ${run('--memory 120M --isolate pid,mount,ipc,uts --', middle)}`,
  ])
  expect({ status, stderr }).toEqual({ status: 137, stderr: expect.stringMatching(/a group above/) })
})

const compiled = `/tmp/${name}.compiled`
const hogFile = fileURLToPath(new URL('../../build/bin/hutch', import.meta.url))

async function compile(...args: string[]): Promise<void> {
  expect(await hutch(['compile', '--output', compiled, ...args])).toMatchObject({ status: 0, stderr: '' })
}

test('a compiled file has the memory that it asks for, where nothing above it has less', async () => {
  await compile('--memory', '400M', '--', hogFile, 'hog', '200M')
  expect(await collect(compiled, [])).toMatchObject({ status: 0 })
})

test.each([
  ['a job', `exec ${run('--memory 120M --', compiled)}`],
  ['a job, beside a shell', `exec ${run('--memory 120M --', `sh -c '${compiled}; exit $?'`)}`],
  ['a job with all namespaces', `exec ${run('--memory 120M --isolate all --', `sh -c '${compiled}; exit $?'`)}`],
])('a compiled file with a larger limit is held by %s', async (_, line) => {
  await compile('--memory', '400M', '--', hogFile, 'hog', '200M')
  const { status, stderr } = await collect('sh', ['-c', line])
  expect({ status, stderr }).toEqual({ status: 137, stderr: expect.stringMatching(/a group above/) })
})

test.each([
  ['alone in it', `exec ${compiled}`],
  ['in a cgroup namespace', `exec unshare --cgroup ${compiled}`],
])("a compiled file is held by its caller's group, %s", async (_, line) => {
  await compile('--memory', '400M', '--', hogFile, 'hog', '200M')
  const { status, stderr } = await within(limited(), line)
  expect({ status, stderr }).toEqual({ status: 137, stderr: expect.stringMatching(/a group above/) })
})

test("on v2, a compiled file beside a shell sets its caller's limits for the job itself", async (context) => {
  requires(context, 'v2')
  const show = `cat ${mountOf('')}$(sed s/0::// /proc/self/cgroup)/memory.max`
  const groups = limited()
  const ended = async (...args: string[]) => {
    await compile(...args, '--isolate', 'none', '--', 'sh', '-c', show)
    return within(groups, `${compiled}; exit $?`)
  }
  const warning = `hutch: warning: the job is outside of a group of its caller: processes in that group prevent hutch from creating limited groups in it
  memory.max   67108864 of ${groups[0]}: set for the job itself
`
  expect(await ended('--memory', '400M')).toMatchObject({ status: 0, stdout: '67108864\n', stderr: warning })
  expect(await ended('--memory', '30M')).toMatchObject({ status: 0, stdout: '31457280\n', stderr: warning })
  expect(await ended('--pids', '20')).toMatchObject({ status: 0, stdout: '67108864\n', stderr: warning })
  await compile('--pids', '20', '--workdir', '/no/such', '--', 'true')
  expect((await within(groups, `${compiled}; exit $?`)).stderr).toContain('cannot enter the working directory')
})

test('on v1, a compiled sandbox takes the share of CPU time that its caller has, and --cpus of more is refused', async (context) => {
  requires(context, 'v1 controllers')
  const group = make('cpu', { 'cpu.cfs_quota_us': '20000' })
  mkdirSync(`${group}/below`)
  expect(() => writeFileSync(`${group}/below/cpu.cfs_quota_us`, '100000')).toThrow(/EINVAL/)
  const start = async (...args: string[]) => {
    await compile(...args, '--', 'true')
    return within([group], `${compiled}; exit $?`)
  }
  expect(await start('--sandbox')).toMatchObject({ status: 0, stderr: '' })
  expect(await start('--cpus', '0.1')).toMatchObject({ status: 0, stderr: '' })
  const { status, stderr } = await start('--cpus', '1')
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: expect.stringContaining(`${group} has 20000 100000, and on v1 no group below it may have a larger share`),
  })
})

test("the library and a pool start their jobs within the caller's group", async () => {
  writeFileSync(
    `/tmp/${name}.mjs`,
    `import { createPool, run } from '${library}'
const show = ['-c', 'cat /proc/self/cgroup']
const one = await run('sh', show, { isolate: 'none' })
const pool = await createPool({ size: 1, plan: { isolate: 'none' } })
const two = await pool.run(['sh', ...show])
await pool.close()
console.log(JSON.stringify([one.stdout, two.stdout]))`,
  )
  const { stdout, stderr } = await within(limited(), `exec ${node} /tmp/${name}.mjs`)
  rmSync(`/tmp/${name}.mjs`)
  expect(stderr).toBe('')
  for (const text of JSON.parse(stdout) as string[])
    expect(text).toMatch(RegExp(`:${v2 ? '' : 'memory'}:/${name}/hutch-\\d+-`))
})

test('what a killed hutch left inside a job goes with the job, and so do groups that the job made', async () => {
  const fifo = `/tmp/${name}.fifo`
  const own = v2
    ? `${mountOf('')}$(sed -n s/^0:://p /proc/self/cgroup)`
    : `${mountOf('memory')}$(sed -n s/.*:memory://p /proc/self/cgroup)`
  const job = `mkfifo ${fifo}; ${run('--isolate none', '--', `sh -c 'echo up > ${fifo}; exec sleep 1000'`)} & read up < ${fifo}
    kill -9 $!; rm ${fifo}; mkdir -p ${own}/a/b; (echo $(sh -c 'echo $PPID') > ${own}/a/b/cgroup.procs; exec sleep 1001) & ls ${own}`
  const { status, stdout, stderr } = await hutch(['run', '--isolate', 'none', '--', 'sh', '-c', job])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^a\n(.*\n)*^hutch-\d+-\d+-\d+-1$/m)
})

test('--parent is joined in every hierarchy that has it, by each way of starting', async (context) => {
  requires(context, 'v1 controllers')
  const joined = ['memory', 'pids', 'cpu', 'cpuset', 'blkio', 'freezer'].filter((controller) => host.v1[controller])
  for (const controller of joined) make(controller)
  writeFileSync(`${mountOf('cpu')}/${name}/cpu.cfs_quota_us`, '20000')
  for (const file of ['cpuset.cpus', 'cpuset.mems']) writeFileSync(`${mountOf('cpuset')}/${name}/${file}`, '0')
  const script = `import { createPool, run } from '${library}'
const options = { isolate: 'none', parent: '${name}' }
const pool = await createPool({ size: 1, plan: options })
console.log((await run('cat', ['/proc/self/cgroup'], options)).stdout, (await pool.run(['cat', '/proc/self/cgroup'])).stdout)
await pool.close()`
  const file = `/tmp/${name}.compiled`
  const show = ['--parent', name, '--isolate', 'none', '--', 'cat', '/proc/self/cgroup']
  expect(await hutch(['compile', '--output', file, ...show])).toMatchObject({ status: 0 })
  const texts = [
    await hutch(['run', ...show]),
    await collect(file, []),
    await collect(node, ['--input-type=module', '-e', script]),
  ]
  rmSync(file)
  for (const { status, stdout, stderr } of texts) {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const controller of joined) expect(stdout).toMatch(RegExp(`[:,]${controller}(,.*)?:/${name}/hutch-`))
  }
  const cpus = await hutch(['run', '--parent', name, '--', 'nproc'])
  expect(cpus.stdout).toBe('1\n')
})

test('a process that is in the parent already is not moved elsewhere in it, and hierarchies without the parent are left alone', async (context) => {
  requires(context, 'v1 controllers')
  const groups = ['memory', 'cpu'].map((controller) => make(controller))
  const { stdout } = await within(groups, `exec ${run(`--parent ${name} --isolate none --`, 'cat /proc/self/cgroup')}`)
  expect(stdout).toMatch(RegExp(`:memory:/${name}/hutch-`))
  expect(stdout).toMatch(RegExp(`:cpu:/${name}\n`))
  expect(stdout).toMatch(/:freezer:\/\n/)
})

test('a parent that some hierarchies lack is made there, with all levels, and removed again', async (context) => {
  requires(context, 'v1 controllers')
  make('pids', {}, `${name}/deep`)
  const parent = ['--parent', `${name}/deep`, '--cpus', '0.5', '--cpuset-cpus', '0']
  const { status, stdout, stderr } = await hutch([
    'run',
    ...parent,
    '--isolate',
    'none',
    '--',
    'cat',
    '/proc/self/cgroup',
  ])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  for (const controller of ['memory', 'pids', 'cpu', 'cpuset'])
    expect(stdout).toMatch(RegExp(`:${controller}:/${name}/deep/hutch-`))
  for (const controller of ['memory', 'cpu', 'cpuset']) expect(isGroup(`${mountOf(controller)}/${name}`)).toBe(false)
})

test('a user who may not make the parent is told which hierarchy lacks it, and a command that makes it', async (context) => {
  requires(context, 'v1 controllers')
  const groups = [make('pids'), ...(host.unified ? [make('')] : [])]
  for (const directory of groups)
    for (const path of ['', '/cgroup.procs', '/tasks', '/cgroup.subtree_control'])
      if (existsSync(directory + path)) chownSync(directory + path, uid, uid)
  const options = ['run', '--parent', name, '--isolate', 'none', '--pids', '20']
  const start = async (...more: string[]) =>
    (await hutchAs(uid, [...options, ...more, '--', 'true'], enter(groups))).ended
  expect(await start()).toMatchObject({ status: 0, stderr: '' })
  const directory = `${mountOf('memory')}/${name}`
  const refused = await start('--memory', '20M')
  expect(refused).toMatchObject({
    status: 125,
    stderr: expect.stringContaining(`cannot make a group below ${directory}: that group does not exist (ENOENT)`),
  })
  const remedy = /remedy: as root: hutch (.*); or/.exec(refused.stderr)?.[1]
  expect(await hutch(remedy!.split(' '))).toMatchObject({ status: 0 })
  const moved = (await hutchAs(uid, [...options, '--memory', '20M', '--', 'true'], enter([...groups, directory]))).ended
  expect(await moved).toMatchObject({ status: 0, stderr: '' })
})

test('on v2, a parent that does not exist is an error with the command that makes it', async (context) => {
  requires(context, 'v2')
  const { status, stderr } = await hutch(['run', '--parent', name, '--', 'true'])
  expect(status).toBe(125)
  expect(stderr).toContain(`remedy: create it first: hutch cgroup create /${name}`)
  expect(await hutch(['cgroup', 'create', `/${name}`])).toMatchObject({ status: 0 })
  expect(await hutch(['run', '--parent', name, '--memory', '20M', '--', 'true'])).toMatchObject({ status: 0 })
})
