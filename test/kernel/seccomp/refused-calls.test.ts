// SPDX-License-Identifier: Apache-2.0
// Starts under seccomp filters that refuse one call each, as container engines do: hutch starts by an older call, or names the one that was refused.
// In a VM only in `npm run test:kernels`.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { type Ended, hutch } from '../../cli/hutch.ts'
import { hutchCommand } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-calls-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const errnos = { ENOSYS: 38, EPERM: 1 }
type Errno = keyof typeof errnos

const plain = ['--limit', 'none', '--isolate', 'none']
const limits = ['--memory', '50M']
const sandbox = ['--sandbox']

/** What starts all the same. clone3 with EPERM is left out: glibc starts no thread then, so Node does not start. */
const replaced: [call: string, errno: Errno, options: string[]][] = [
  ['clone3', 'ENOSYS', plain],
  ['clone3', 'ENOSYS', limits],
  ['clone3', 'ENOSYS', sandbox],
  ['close_range', 'EPERM', plain],
  ['execveat', 'ENOSYS', limits],
  ['memfd_create', 'EPERM', limits],
  ['pidfd_send_signal', 'ENOSYS', limits],
  ['waitid', 'EPERM', limits],
  ['inotify_add_watch', 'ENOSYS', limits],
  ['recvfrom', 'EPERM', sandbox],
  ['sendto', 'ENOSYS', sandbox],
  ['unlinkat', 'EPERM', limits],
  ['geteuid', 'ENOSYS', sandbox],
]

/** What nothing replaces. */
const named: [call: string, errno: Errno, options: string[]][] = [
  ['fsopen', 'EPERM', sandbox],
  ['capset', 'ENOSYS', sandbox],
  ['mount', 'EPERM', ['--isolate', 'mount,pid']],
  ['setfsuid', 'EPERM', sandbox],
  ['setreuid', 'ENOSYS', sandbox],
  ['wait4', 'EPERM', limits],
  ['rt_sigtimedwait', 'ENOSYS', limits],
]

let profiles = 0

/** A command under a filter with these rules, which refuse. */
function underRules(
  rules: { names: string[]; errnoRet: number; args?: object[] }[],
  command: string[],
): Promise<Ended> {
  const profile = `${work}/${profiles++}.json`
  const syscalls = rules.map((rule) => ({ ...rule, action: 'SCMP_ACT_ERRNO' }))
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }))
  return hutch(['run', '--quiet', ...plain, '--seccomp', profile, '--', ...command])
}

/** A command under a filter that refuses one call. */
function under(call: string, errno: Errno, command: string[]): Promise<Ended> {
  return underRules([{ names: [call], errnoRet: errnos[errno] }], command)
}

const echo = (options: string[]) => [...hutchCommand, 'run', ...options, '--', 'echo', 'ok']

/** As Docker's default profile with unshare(2) added: clone3 is unknown, and clone(2) may make no namespace. */
const namespaceFlags = [0x02000000, 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]
const withoutFlags = [
  { names: ['clone3'], errnoRet: errnos.ENOSYS },
  ...namespaceFlags.map((flag) => ({
    names: ['clone'],
    errnoRet: errnos.EPERM,
    args: [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }],
  })),
]

/** As qemu-user: clone3 is unknown; clone(2) makes threads, and processes that share nothing and have no namespaces of their own. */
const [sharesMemory, isThread] = [0x100, 0x10000]
const emulator = [
  { names: ['clone3'], errnoRet: errnos.ENOSYS },
  ...[[sharesMemory | isThread, sharesMemory] as const, ...namespaceFlags.map((flag) => [flag, flag] as const)].map(
    ([value, valueTwo]) => ({
      names: ['clone'],
      errnoRet: 22,
      args: [{ index: 0, value, valueTwo, op: 'SCMP_CMP_MASKED_EQ' }],
    }),
  ),
]

test.each(replaced)('without %s (%s) a job starts: %j', async (call, errno, options) => {
  const ended = await under(call, errno, echo(options))
  expect(ended).toMatchObject({ status: 0, stdout: 'ok\n', stderr: '' })
})

test.each(named)('without %s (%s) the error names it: %j', async (call, errno, options) => {
  const ended = await under(call, errno, echo(options))
  expect(ended).toMatchObject({ status: 125, stdout: '' })
  expect(ended.stderr).toContain(`(${errno})`)
  expect(ended.stderr).toContain(`refused system call: ${call}\n`)
  expect(ended.stderr).toContain(`allow ${call} in the seccomp profile`)
})

test('control: under the filter clone3 itself is refused', async (context) => {
  requires(context, 'python3')
  const call = 'import ctypes; l = ctypes.CDLL(None, use_errno=True); l.syscall(435, 0, 0); print(ctypes.get_errno())'
  expect(await under('clone3', 'ENOSYS', ['python3', '-c', call])).toMatchObject({ stdout: '38\n' })
  expect(await hutch(['run', ...plain, '--', 'python3', '-c', call])).toMatchObject({ stdout: '22\n' })
})

test.each([
  ['limits', limits, 'echo $$', '2\n'],
  ['a sandbox', sandbox, 'echo $$', '2\n'],
  ['a host name', ['--isolate', 'uts', '--hostname', 'burrow', '--limit', 'none'], 'uname -n', 'burrow\n'],
])('unshare makes the namespaces that clone may not: %s', async (_, options, look, stdout) => {
  const command = [...hutchCommand, 'run', '--quiet', ...options, '--', 'sh', '-c', `${look}; exit 3`]
  expect(await underRules(withoutFlags, command)).toEqual({ status: 3, stdout, stderr: '' })
})

test.each([
  ['no namespaces', plain, 'echo ok', 'ok\n'],
  ['limits and namespaces', limits, 'echo $$', '2\n'],
  ['a filter', [...limits, '--seccomp', 'default'], 'echo $$', '2\n'],
])('a plain fork starts a job where processes cannot share memory: %s', async (_, options, look, stdout) => {
  const command = [...hutchCommand, 'run', '--quiet', ...options, '--', 'sh', '-c', `${look}; exit 3`]
  expect(await underRules(emulator, command)).toEqual({ status: 3, stdout, stderr: '' })
})

const filters = {
  'clone3 unknown': emulator.slice(0, 1),
  'clone without namespaces': withoutFlags,
  'a plain fork': emulator,
}

const kinds = [{ isolate: 'none' }, { limits: { pids: 20 } }, { sandbox: true }]

test.each(
  Object.entries(filters).flatMap(([name, rules]) =>
    // a plain fork cannot create a user namespace, and so no sandbox
    kinds.slice(0, rules === emulator ? 2 : 3).map((options) => [name, options, rules] as const),
  ),
)('%s: streams above 2 have their numbers, with %j', async (_, options, rules) => {
  const { status, stdout, stderr } = await underRules(rules, [
    process.execPath,
    'test/support/more-streams.mjs',
    JSON.stringify(options),
  ])
  expect([status, stderr]).toEqual([0, ''])
  expect(JSON.parse(stdout)).toEqual(['question\n3\n4\n5\n6\n', 'answer\n', 'four\n', 'from a stream'])
})

test('there a missing program is the same error as elsewhere', async () => {
  const command = ['run', ...limits, '--seccomp', 'default', '--', '/nowhere/program']
  expect(await underRules(emulator, [...hutchCommand, ...command])).toEqual(await hutch(command))
})

test('control: there clone makes no namespace; without unshare the error names clone', async (context) => {
  requires(context, 'python3')
  const call = `import ctypes, os; l = ctypes.CDLL(None, use_errno=True)
print(l.syscall(${process.arch === 'x64' ? 56 : 220}, 0x08000000 | 17, 0, 0, 0, 0), ctypes.get_errno())`
  expect(await underRules(withoutFlags, ['python3', '-c', call])).toMatchObject({ stdout: '-1 1\n' })
  const refused = await underRules([...withoutFlags, { names: ['unshare'], errnoRet: errnos.EPERM }], echo(limits))
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toContain('refused system call: clone\n')
})

test('groups that stay behind are named with the refused call', async () => {
  const ended = await underRules([{ names: ['unlinkat', 'rmdir'], errnoRet: errnos.EPERM }], echo(limits))
  expect(ended).toMatchObject({ status: 125, stdout: 'ok\n' })
  expect(ended.stderr).toMatch(
    /cannot remove .*\n[\s\S]*refused system call: unlinkat\n[\s\S]*remedy: the next run removes it/,
  )
})

test('a compiled file starts without clone3, and names what nothing replaces', async () => {
  const file = `${work}/echo`
  expect(await hutch(['compile', '-o', file, ...limits, '--', 'echo', 'ok'])).toMatchObject({ status: 0 })
  expect(await under('clone3', 'ENOSYS', [file])).toMatchObject({ status: 0, stdout: 'ok\n' })
  const refused = await under('mount', 'EPERM', [file])
  expect(refused.status).toBe(125)
  expect(refused.stderr).toContain('refused system call: mount\n')
})

/** Each call of the launch path by its name in an error, with each errno: all of them (CALLS=all), or a sample by CALLS_SEED. */
const calls = [...readFileSync('native/lib/call-name.c', 'utf8').matchAll(/\bX\(([a-z]\w+)\)/g)].map(
  ([, call]) => call!,
)
const combinations = calls.flatMap((call) =>
  (['EPERM', 'ENOSYS'] as const).flatMap((errno) => [limits, sandbox].map((options) => ({ call, errno, options }))),
)
const seed = Number(process.env.CALLS_SEED ?? Math.floor(Date.now() / 86_400_000))
const sampled = process.env.VM ? 2 : 6

/** Steps through the list by a number without a common divisor, so that the days of a month see other calls. */
function sample(): typeof combinations {
  if (process.env.CALLS === 'all') return combinations
  return Array.from({ length: sampled }, (_, i) => combinations[((seed * sampled + i) * 211) % combinations.length]!)
}

/** What is wrong with a start under a filter that refuses the call: undefined if it works or names the call. */
async function problemOf({ call, errno, options }: (typeof combinations)[number]): Promise<object | undefined> {
  const ended = await under(call, errno, echo(options))
  const works = ended.status === 0 && ended.stdout === 'ok\n' && ended.stderr === ''
  if (works || (ended.status === 125 && ended.stderr.includes(`refused system call: ${call}\n`))) return undefined
  const node = await under(call, errno, [
    process.execPath,
    '-e',
    'new (require("worker_threads").Worker)("1", { eval: true })',
  ])
  return node.status === 0 ? { call, errno, options, ended } : undefined
}

test(`any refused call is replaced or named (CALLS_SEED=${seed})`, { timeout: 900_000 }, async () => {
  const waiting = sample()
  const problems: (object | undefined)[] = []
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) problems.push(await problemOf(next))
  }
  await Promise.all([work(), work()])
  expect(problems.filter(Boolean)).toEqual([])
})

test('a refused call has a name in an error', () => {
  const files = ['lib', 'caller', 'init'].flatMap((room) =>
    readdirSync(`native/${room}`).map((file) => readFileSync(`native/${room}/${file}`, 'utf8')),
  )
  const used = new Set(files.flatMap((text) => [...text.matchAll(/\b__NR_([a-z]\w+)/g)].map(([, call]) => call!)))
  // these never fail for want of a right, or their failure is no error
  for (const call of ['close', 'exit_group', 'lgetxattr']) used.delete(call)
  expect([...used].filter((call) => !calls.includes(call))).toEqual([])
})
