// SPDX-License-Identifier: Apache-2.0
// Capabilities, no_new_privs, users and groups of a job.
// In a VM only in `npm run test:kernels`.
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { runAs } from '../../support/anyone.ts'
import { requires } from '../../support/requires.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-privileges-`)
chmodSync(directory, 0o755)
afterAll(() => rmSync(directory, { recursive: true }))

const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']

/** The five sets that a program sees of itself: inheritable, permitted, effective, bounding, ambient. */
async function setsInside(options: RunOptions): Promise<string[]> {
  const { stdout } = await run('cat', ['/proc/self/status'], options)
  return sets.map((name) => new RegExp(`${name}:\\s+0*([0-9a-f]+)`).exec(stdout!)![1]!)
}

const own = readFileSync('/proc/self/status', 'utf8')
const permitted = BigInt(`0x${/CapPrm:\s+(\w+)/.exec(own)![1]}`)
const mask = (...numbers: number[]) => numbers.reduce((sum, number) => sum | (1n << BigInt(number)), 0n)
const without = (...numbers: number[]) => (permitted & ~mask(...numbers)).toString(16)
const [netBindService, netRaw, chown, sysAdmin, mknod] = [10, 13, 0, 21, 27]
const all = permitted.toString(16)

test.each([
  ['root keeps what the caller has', {}, ['0', all, all, all, '0']],
  ['root loses all', { capDrop: 'ALL' }, ['0', '0', '0', '0', '0']],
  ['root loses two', { capDrop: ['NET_RAW', 'cap_mknod'] }, ['0', ...Array(3).fill(without(netRaw, mknod)), '0']],
  ['root has just one', { capDrop: 'ALL', capAdd: 'CHOWN' }, ['0', ...Array(3).fill(mask(chown).toString(16)), '0']],
  ['a user has none', { user: 'nobody' }, ['0', '0', '0', all, '0']],
  [
    'a user has one, in all five sets',
    { user: 'nobody', capAdd: 'NET_BIND_SERVICE' },
    Array(5).fill(mask(netBindService).toString(16)),
  ],
  [
    'a user has all but two',
    { user: 'nobody', capAdd: 'ALL', capDrop: ['SYS_ADMIN', 'CHOWN'] },
    Array(5).fill(without(sysAdmin, chown)),
  ],
] as const)('%s', async (_title, options, expected) => {
  expect(await setsInside(options as RunOptions)).toEqual(expected)
})

test('what was dropped is refused, and what was added works', async (context) => {
  requires(context, 'root')
  let serial = 0
  const chowns = (options: RunOptions) => {
    const file = `${directory}/owned-${++serial}`
    return run('sh', ['-c', `: > ${file} && chown 5 ${file} 2>/dev/null; stat -c %u ${file}`], options)
  }
  chmodSync(directory, 0o777)
  expect((await chowns({})).stdout).toBe('5\n')
  expect((await chowns({ capDrop: 'CHOWN' })).stdout).toBe('0\n')
  expect((await chowns({ user: 'nobody' })).stdout).toBe('65534\n')
  expect((await chowns({ user: 'nobody', capAdd: 'CHOWN' })).stdout).toBe('5\n')
})

test('a capability that this process lacks is an error, and one that does not exist', async (context) => {
  requires(context, 'root')
  const { stdout, stderr, status } = await runAs(1000, ['--isolate', 'none', '--cap-add', 'NET_RAW', '--', 'true'])
  expect({ stdout, status }).toEqual({ stdout: '', status: 125 })
  expect(stderr).toMatch(/^hutch: cannot use CAP_NET_RAW for --cap-add: this process does not have it\n/)
  const inside = await runAs(1000, ['--cap-add', 'NET_RAW', '--', 'grep', 'CapEff', '/proc/self/status'])
  expect(inside).toEqual({ status: 0, stdout: `CapEff:\t${mask(netRaw).toString(16).padStart(16, '0')}\n`, stderr: '' })
  await expect(run('true', [], { capAdd: 'NET_ROW' })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    remedy: 'give NET_RAW?',
  })
})

test('a set-user-ID program gives nothing, unless it may', async (context) => {
  requires(context, 'root')
  const program = `${directory}/id`
  copyFileSync('/usr/bin/id', program)
  chmodSync(program, 0o4755)
  const as = (options: RunOptions) => run(program, ['-u'], { user: 'nobody', ...options })
  expect((await as({ newPrivileges: true })).stdout).toBe('0\n')
  expect((await as({})).stdout).toBe('65534\n')
  // and not what was taken from the bounding set either
  const script = `grep -E 'Cap(Prm|Bnd)' /proc/self/status | cut -f2`
  const { stdout } = await run('setpriv', ['--clear-groups', 'sh', '-c', script], {
    capDrop: ['ALL'],
    capAdd: ['SETGID'],
    newPrivileges: true,
  })
  expect(stdout).toBe('0000000000000040\n0000000000000040\n')
})

test('limits of the process are as asked for', async (context) => {
  const { stdout } = await run('cat', ['/proc/self/limits'], {
    ulimits: { nofile: '100:200', core: 0, stack: 'unlimited', nproc: '1000' },
  })
  const limit = (name: string) =>
    new RegExp(`^Max ${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(stdout!)!.slice(1, 3).join(':')
  expect(['open files', 'core file size', 'stack size', 'processes'].map(limit)).toEqual([
    '100:200',
    '0:0',
    'unlimited:unlimited',
    '1000:1000',
  ])
  requires(context, 'root')
  const { status, stderr } = await runAs(1000, ['--ulimit', 'nofile=9999999', '--', 'true'])
  expect(status).toBe(125)
  expect(stderr).toMatch(
    /^hutch: cannot limit nofile to 9999999: the kernel refused \(EPERM\)\n {2}requested by --ulimit\n/,
  )
  expect(await runAs(1000, ['--ulimit', 'nofile=99', '--', 'sh', '-c', 'ulimit -Hn'])).toEqual({
    status: 0,
    stdout: '99\n',
    stderr: '',
  })
})

test('priorities are as asked for, before the ids change', async (context) => {
  requires(context, 'root')
  const { stdout } = await run('sh', ['-c', 'cat /proc/self/oom_score_adj; nice; ionice; chrt -p $$; id -u'], {
    user: 'nobody',
    oomScoreAdj: 300,
    nice: -5,
    ioPriority: 'best-effort:2',
    scheduler: 'batch',
  })
  expect(stdout).toMatch(
    /^300\n-5\nbest-effort: prio 2\npid \d+'s current scheduling policy: SCHED_BATCH\n.*priority: 0\n65534\n$/,
  )
  const { stdout: idle } = await run('sh', ['-c', 'ionice; chrt -p $$'], { ioPriority: 'idle', scheduler: 'idle' })
  expect(idle).toMatch(/^idle\n.*SCHED_IDLE\n/)
  const refused = await runAs(1000, ['--nice', '-5', '--', 'true'])
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toMatch(/^hutch: cannot set the nice value: the kernel refused \(EACCES\)\n/)
  expect(await runAs(1000, ['--nice', '5', '--', 'nice'])).toEqual({ status: 0, stdout: '5\n', stderr: '' })
})

test('groups are those that are named', async (context) => {
  requires(context, 'root')
  const ids = async (options: RunOptions) => (await run('sh', ['-c', 'id -u; id -g; id -G'], options)).stdout
  expect(await ids({ user: 'nobody', group: 'daemon', groups: ['audio', '7'] })).toBe('65534\n1\n1 7 29\n')
  expect(await ids({ user: 'nobody', groups: [] })).toBe('65534\n65534\n65534\n')
  expect(await ids({ group: '5' })).toBe('0\n5\n5\n')
  await expect(ids({ group: 'nosuchgroup' })).rejects.toMatchObject({ code: 'USER_UNKNOWN' })
})
