// SPDX-License-Identifier: Apache-2.0
// User namespaces: mapped ids, and what a user without rights can do in one.
// In a VM only in `npm run test:kernels`.
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { uptime } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { run } from '../../../src/index.ts'
import { collect } from '../../cli/hutch.ts'
import { beginAs, runAs } from '../../support/anyone.ts'
import { hutchCommand } from '../../support/command.ts'
import { groupsThatStay } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'

const look =
  'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups; grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status | cut -f2'

/** What the program inside sees of its user namespace. */
function parseLook(stdout: string) {
  const lines = stdout.trim().split('\n')
  const maps = lines.slice(2, -5).map((line) => line.trim().split(/\s+/).join(':'))
  return { ids: lines.slice(0, 2).join(':'), maps, setgroups: lines.at(-5), sets: lines.slice(-4) }
}

const nothing = '0000000000000000'
const none = [nothing, nothing, nothing, nothing]
/** All that this kernel knows. */
const all = ((1n << BigInt(Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')) + 1)) - 1n)
  .toString(16)
  .padStart(16, '0')

test.each([
  ['root as itself', {}, '0:0', ['0:0:1', '0:0:1'], true],
  ['a range', { mapUsers: '0:100000:65536' }, '0:0', ['0:100000:65536', '0:100000:65536'], true],
  [
    'ranges, groups of their own',
    { mapUsers: ['0:100000:10', '10:300000:10'], mapGroups: ['0:7:1', '100:100100:1'] },
    '0:0',
    ['0:100000:10', '10:300000:10', '0:7:1', '100:100100:1'],
    true,
  ],
  [
    'a user in a range',
    { mapUsers: '0:100000:65536', user: '33:33' },
    '33:33',
    ['0:100000:65536', '0:100000:65536'],
    false,
  ],
  ['a user alone', { user: '33:33' }, '33:33', ['33:33:1', '33:33:1'], false],
] as const)('root maps %s', async (context_, options, ids, maps, rights) => {
  const { stdout, exitCode } = await run('sh', ['-c', look], { ...options, isolate: ['all', 'user'] } as object)
  expect(exitCode).toBe(0)
  expect(context_).toBeTruthy()
  expect(parseLook(stdout!)).toEqual({
    ids,
    maps,
    setgroups: 'allow',
    sets: rights ? [nothing, all, all, nothing] : none,
  })
})

test('what is mapped to others is theirs outside', async (context) => {
  requires(context, 'root')
  const { stdout } = await run(
    'sh',
    ['-c', 'stat -c %u /root /proc/self/; cat /root/.profile 2>&1; echo > /hutch-test; true'],
    {
      isolate: ['pid', 'mount'],
      mapUsers: '0:100000:65536',
    },
  )
  expect(stdout!.split('\n').slice(0, 2)).toEqual(['65534', '0'])
  expect(existsSync('/hutch-test')).toBe(false)
})

test('a user without rights gets a user namespace with the others, and no capabilities', async (context) => {
  requires(context, 'root')
  for (const id of [65534, 1000]) {
    const { status, stdout, stderr } = await runAs(id, ['--', 'sh', '-c', look])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(parseLook(stdout)).toEqual({
      ids: `${id}:${id}`,
      maps: [`${id}:${id}:1`, `${id}:${id}:1`],
      setgroups: 'deny',
      sets: none,
    })
  }
})

test('a user without rights is root inside when asked, with all kinds and a mount of its own', async (context) => {
  requires(context, 'root')
  const kinds = 'for k in mnt cgroup uts ipc pid net user time; do readlink /proc/self/ns/$k; done'
  const { status, stdout, stderr } = await runAs(1000, [
    '--isolate',
    'all,user,time',
    '--map-users',
    'root',
    '--hostname',
    'burrow',
    '--',
    'sh',
    '-c',
    `${look}; hostname; mount -t tmpfs x /mnt && ps -e -o pid= | wc -l; ${kinds}`,
  ])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  expect(parseLook(lines.slice(0, -10).join('\n'))).toEqual({
    ids: '0:0',
    maps: ['0:1000:1', '0:1000:1'],
    setgroups: 'deny',
    sets: [nothing, all, all, nothing],
  })
  expect(lines.at(-10)).toBe('burrow')
  for (const [i, kind] of ['mnt', 'cgroup', 'uts', 'ipc', 'pid', 'net', 'user', 'time'].entries())
    expect(lines.at(i - 8)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`))
})

test('a user without rights is another inside, alone', async (context) => {
  requires(context, 'root')
  expect(await runAs(1000, ['--user', '5:6', '--', 'sh', '-c', 'id -u; id -g'])).toEqual({
    status: 0,
    stdout: '5\n6\n',
    stderr: '',
  })
})

/** A table of our own over the host's, seen by these processes alone; `also` are more commands before. */
const table = (text: string, also = ':') => [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  `mount -t tmpfs x /mnt && printf '${text}' > /mnt/ids && for f in subuid subgid; do touch /etc/$f; mount --bind /mnt/ids /etc/$f; done && ${also} && exec "$@"`,
  'sh',
]

test('auto maps what /etc/subuid gives, by newuidmap', async (context) => {
  requires(context, 'root', 'newuidmap(1)')
  const given = table('1000:200000:65536\\n')
  const asRoot = await runAs(1000, ['--map-users', 'auto', '--', 'sh', '-c', look], given)
  expect(asRoot).toMatchObject({ status: 0, stderr: '' })
  const maps = ['0:1000:1', '1:200000:65536', '0:1000:1', '1:200000:65536']
  expect(parseLook(asRoot.stdout)).toEqual({ ids: '0:0', maps, setgroups: 'allow', sets: [nothing, all, all, nothing] })
  const asOther = await runAs(1000, ['--map-users', 'auto', '--user', '33:33', '--', 'sh', '-c', look], given)
  expect(parseLook(asOther.stdout)).toEqual({ ids: '33:33', maps, setgroups: 'allow', sets: none })
  const foreign = await runAs(1000, ['--map-users', '0:0:1', '--', 'id'], given)
  expect(foreign).toMatchObject({ status: 125, stdout: '' })
  expect(foreign.stderr).toMatch(
    /^hutch: cannot use 0:0:1 for --map-users: \/etc\/subuid does not allow it for user 1000\n {2}allowed: 200000:65536\n/,
  )
  const nobody = await runAs(1000, ['--map-users', 'auto', '--', 'id'], table(''))
  expect(nobody).toMatchObject({ status: 125, stdout: '' })
  expect(nobody.stderr).toMatch(/remedy: as root: usermod --add-subuids/)
})

test('where none may be made, the sysctl in the way is named; with them it works', async (context) => {
  requires(context, 'root')
  // the limit of a user namespace of ours, not the host's: it allows those inside none
  const limit = (number: number) => [
    ...hutchCommand,
    'run',
    '--quiet',
    '--map-users',
    '0:0:70000',
    '--',
    'sh',
    '-c',
    `echo ${number} > /proc/sys/user/max_user_namespaces && exec "$@"`,
    'sh',
  ]
  const refused = await runAs(1000, ['--', 'true'], limit(0))
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toBe(
    'hutch: cannot make a user namespace: the kernel refused (ENOSPC)\n  /proc/sys/user/max_user_namespaces is 0\n  remedy: sysctl -w user.max_user_namespaces=15000\n',
  )
  expect(await runAs(1000, ['--', 'echo', 'made'], limit(10))).toEqual({ status: 0, stdout: 'made\n', stderr: '' })
})

test('the clocks of a time namespace are set off, and the host’s are not', async () => {
  const before = uptime()
  const { stdout } = await run('cat', ['/proc/uptime'], { timeOffset: { boottime: '+10d', monotonic: -1 } })
  expect(Number(stdout!.split(' ')[0])).toBeGreaterThan(before + 863_999)
  expect(uptime()).toBeLessThan(before + 1000)
  await expect(run('true', [], { timeOffset: { monotonic: '-9999d' } })).rejects.toMatchObject({
    code: 'STEP_REFUSED',
    errno: 'ERANGE',
    operation: 'offsetClocks',
  })
})

test('maps that the kernel refuses leave nothing behind', async (context) => {
  requires(context, 'root')
  // since Linux 5.12 to map root takes CAP_SETFCAP
  const without = (words: string[]) =>
    collect('setpriv', ['--bounding-set', '-setfcap', ...hutchCommand, 'run', '--quiet', ...words])
  const refused = await without(['--memory', '50M', '--isolate', 'user', '--', 'true'])
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toMatch(
    /^hutch: cannot map the ids of a user namespace: the kernel refused \(EPERM\)\n(.*\n)* {2}remedy: /,
  )
  expect(await without(['--map-users', '0:1000:1', '--', 'echo', 'mapped'])).toEqual({
    status: 0,
    stdout: 'mapped\n',
    stderr: '',
  })
  expect(await groupsThatStay()).toEqual([])
})

test('hutch killed in the middle of the hand-shake leaves no child', async (context) => {
  requires(context, 'root', 'newuidmap(1)')
  // a newgidmap that takes its time, seen by these processes alone
  const slow =
    'printf "#!/bin/sh\\nexec sleep 60\\n" > /mnt/slow && chmod 755 /mnt/slow && mount --bind /mnt/slow /usr/bin/newgidmap'
  const args = ['--map-users', 'auto', '--', 'true']
  const { pid, ended } = await beginAs(1000, args, table('1000:200000:65536\\n', slow))
  const childrenOf = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  // the tool for groups may end between the list and the look
  const comm = (child: string) => {
    try {
      return readFileSync(`/proc/${child}/comm`, 'utf8').trim()
    } catch {
      return ''
    }
  }
  while (!childrenOf().some((child) => comm(child) === 'sleep')) await pause(20)
  const child = childrenOf().find((one) => comm(one) !== 'sleep')!
  const tool = childrenOf().find((one) => comm(one) === 'sleep')!
  expect(existsSync(`/proc/${child}`)).toBe(true)
  process.kill(pid, 'SIGKILL')
  process.kill(Number(tool), 'SIGKILL')
  await ended
  for (let tries = 0; tries < 3000 && isAlive(child); tries++) await pause(10)
  expect(isAlive(child)).toBe(false)
})

/** Not even as a zombie that somebody has yet to reap. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
