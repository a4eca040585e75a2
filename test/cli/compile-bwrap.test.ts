// SPDX-License-Identifier: Apache-2.0
// hutch compile --bwrap: the file does as bubblewrap itself does with that command line.
// In a VM only in `npm run test:kernels`.
import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const place = workplace()
const file = `${place.path}/file`
afterAll(place.remove)
writeFileSync(`${place.path}/data`, 'from outside\n')

const host = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev']
const usr = [
  '--ro-bind',
  '/usr',
  '/usr',
  '--symlink',
  'usr/bin',
  '/bin',
  '--symlink',
  'usr/lib',
  '/lib',
  '--symlink',
  'usr/lib64',
  '/lib64',
]
const sh = (line: string) => ['sh', '-c', line]

const lines: [title: string, args: string[]][] = [
  ['the host as it is', [...host, ...sh('pwd; id -u; touch /usr/x 2>&1')]],
  ['all namespaces', ['--unshare-all', ...host, ...sh('echo $$; cat /proc/self/uid_map; wc -l < /proc/net/dev')]],
  ['ids', ['--unshare-user', '--uid', '7', '--gid', '8', ...host, ...sh('id -u; id -g')]],
  ['a host name', ['--unshare-uts', '--hostname', 'burrow', ...host, ...sh('uname -n')]],
  [
    'a root of parts',
    [...usr, '--proc', '/proc', '--dir', '/var', '--tmpfs', '/tmp', ...sh('ls /; touch /tmp/x && echo made')],
  ],
  ['modes', [...usr, '--perms', '0700', '--dir', '/d', '--perms', '1777', '--tmpfs', '/t', ...sh('stat -c %a /d /t')]],
  ['a directory', [...host, '--chdir', '/usr', ...sh('pwd')]],
  ['an environment of its own', ['--clearenv', '--setenv', 'A', 'one two', ...host, ...sh('echo "$A|$HOME"')]],
  ['a variable', ['--setenv', 'A', 'one', ...host, ...sh('echo "$A|${HOME:+home}"')]],
  ['no capabilities', ['--cap-drop', 'ALL', ...host, ...sh('grep ^Cap /proc/self/status')]],
  [
    'no further user namespaces',
    ['--unshare-user', '--disable-userns', ...host, ...sh('unshare -U true 2>/dev/null; echo $?')],
  ],
  [
    'a file',
    [
      ...host,
      '--tmpfs',
      '/tmp',
      '--ro-bind',
      `${place.path}/data`,
      '/tmp/data',
      ...sh('cat /tmp/data; echo x > /tmp/data'),
    ],
  ],
  ['a source that may be missing', [...host, '--bind-try', '/nowhere/at/all', '/mnt', ...sh('echo here')]],
  ['a status', [...host, ...sh('exit 5')]],
  ['a signal', [...host, ...sh('kill -9 $$')]],
  ['a session', ['--new-session', '--die-with-parent', '--unshare-pid', ...host, ...sh('echo done')]],
]

test.for(lines)('does as bwrap does: %s', async ([, args], context) => {
  requires(context, 'bubblewrap')
  // these alone decide, so both see the same
  const env = { PATH: process.env.PATH!, HOME: '/root' }
  const compiled = await hutch(['compile', '--output', file, '--bwrap', ...args], { env })
  expect(compiled).toEqual({ status: 0, stdout: '', stderr: '' })
  const { status, stdout } = await collect(file, [], { env })
  const real = await collect('bwrap', args, { env })
  expect({ status, stdout }).toEqual({ status: real.status, stdout: real.stdout })
})

test('limits are in it, and the program can be read', async (context) => {
  requires(context, 'root')
  const limits = ['--hutch-memory', '32M', '--hutch-pids', '20', '--hutch-timeout', '300ms']
  await hutch(['compile', '--output', file, '--pass-args', '--bwrap', ...limits, ...host, 'sleep'])
  const { status, stderr } = await collect(file, ['10'], {})
  expect([status, stderr]).toEqual([124, expect.stringContaining('timed out')])
  expect((await collect(file, ['--hutch-explain'], {})).stdout).toMatch(/33554432[\s\S]*pivot_root/)
})

test.each([
  [['--file', '0', '/x'], /--file: the descriptor does not exist at a later start/],
  [['--info-fd', '1'], /--info-fd: the descriptor/],
  [['--unsetenv', 'HOME'], /--unsetenv: each start has its own environment/],
  [['--nosuch'], /--nosuch/],
])('%j cannot be held', async (args, words) => {
  const { status, stderr } = await hutch(['compile', '--output', file, '--bwrap', ...args, ...host, 'true'])
  expect([status, stderr]).toEqual([125, expect.stringMatching(words)])
})

test('options of run are no options of bwrap', async () => {
  const { status, stderr } = await hutch(['compile', '--output', file, '--read-only', '--bwrap', ...host, 'true'])
  expect([status, stderr]).toEqual([
    125,
    expect.stringContaining('--read-only: all options after --bwrap are options of bwrap'),
  ])
})
