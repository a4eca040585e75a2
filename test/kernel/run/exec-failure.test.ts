// SPDX-License-Identifier: Apache-2.0
// Programs that the kernel refuses to execute, made for real: on the host's root and in a sandbox, as root and as a user. Each remedy is applied as it is written.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { createPool, run, type StartOptions } from '../../../src/index.ts'
import { requires } from '../../support/requires.ts'

const ground = mkdtempSync('/var/tmp/hutch-exec-')
chmodSync(ground, 0o755)
afterAll(() => rmSync(ground, { recursive: true, force: true }))

let count = 0
/** A file of its own, in a directory of its own. */
function make(content: string | Buffer, mode = 0o755, name = 'tool'): string {
  const path = `${ground}/${count++}/${name}`
  mkdirSync(path.slice(0, path.lastIndexOf('/')))
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}
const truth = readFileSync('/bin/true')
const changed = (at: number, byte: number) => {
  const bytes = Buffer.from(truth)
  bytes[at] = byte
  return bytes
}

const user: StartOptions = { user: '65534:65534', isolate: 'none' }
const shut = () => {
  const path = make(truth)
  chmodSync(path.slice(0, path.lastIndexOf('/')), 0o700)
  return path
}
const chain = () => {
  const interpreter = make(truth, 0o644, 'py')
  return make(`#!${interpreter}\n`)
}

/** Remedies that are a line for a shell are applied, and the program then runs. */
const cases: [
  what: string,
  make: () => string,
  options: StartOptions,
  headline: RegExp,
  applied: 'shell' | 'instead' | 'none',
][] = [
  ['a first line with \\r', () => make('#!/bin/sh\r\nexit 0\r\n'), {}, /carriage return.*ENOENT/, 'shell'],
  [
    'an interpreter that is missing',
    () => make('#!/no/sh\nexit 0\n', 0o755, 'a.sh'),
    {},
    /interpreter that it names does not exist/,
    'instead',
  ],
  [
    'a missing loader',
    () => make(Buffer.from(truth.toString('latin1').replace('/ld-linux', '/ld-gone!'), 'latin1')),
    {},
    /loader that it names does not exist/,
    'none',
  ],
  [
    'a link to nowhere',
    () => {
      const link = `${make('')}.link`
      symlinkSync('gone', link)
      return link
    },
    {},
    /symbolic link to .*gone, which does not exist/,
    'none',
  ],
  ['no x', () => make(truth, 0o644), {}, /not executable \(mode 0644\)/, 'shell'],
  ['x for its owner alone, for another user', () => make(truth, 0o700), user, /user 65534 may not execute it/, 'shell'],
  [
    'a directory that is closed to the user',
    shut,
    user,
    /user 65534 cannot search the directory .*\d \(EACCES\)/,
    'shell',
  ],
  ['an interpreter without x', chain, {}, /its interpreter .*py is not executable/, 'shell'],
  ['a directory', () => ground, {}, /it is a directory/, 'none'],
  ['text', () => make('exit 0\n'), {}, /a text without a first line.*ENOEXEC/, 'instead'],
  ['text without x', () => make('exit 0\n', 0o644, 'a.sh'), {}, /not executable.*and is a text/, 'instead'],
  ['a byte-order mark', () => make('\ufeff#!/bin/sh\nexit 0\n'), {}, /byte-order mark/, 'shell'],
  ['an empty file', () => make(''), {}, /it is empty/, 'none'],
  ['another machine', () => make(changed(18, 0x16)), {}, /ELF file for s390, and this machine/, 'none'],
  [
    'links in a circle',
    () => {
      const link = `${make('')}.loop`
      symlinkSync(link, link)
      return link
    },
    {},
    /form a loop \(ELOOP\)/,
    'none',
  ],
  ['a path through a file', () => `${make('')}/x`, {}, /tool is a file, not a directory \(ENOTDIR\)/, 'none'],
  ['a long name', () => `/${'a'.repeat(300)}`, {}, /ENAMETOOLONG/, 'none'],
]

test.each(cases)('%s', async (_, made, options, headline, applied) => {
  const path = made()
  const inside: StartOptions = { sandbox: true, mounts: [{ volume: `${ground}:${ground}` }], timeout: '30s' }
  for (const more of options === user ? [options] : [{ isolate: 'none' } as StartOptions, {}, inside]) {
    const { verdict } = await run(path, [], { ...options, ...more })
    expect(verdict.headline).toMatch(headline)
  }
  const { verdict } = await run(path, [], options)
  const command = verdict.remedy!.slice(verdict.remedy!.lastIndexOf(': ') + 2)
  if (applied === 'shell') {
    execFileSync('sh', ['-c', command])
    expect((await run(path, [], options)).status).toBe(0)
  }
  if (applied === 'instead') {
    const [program = '', ...args] = command.split(' ')
    expect((await run(program, args, options)).status).toBe(0)
  }
})

test('a program that another process writes is told with that process', async () => {
  const path = make(truth)
  const fd = openSync(path, 'r+')
  const { verdict, status } = await run(path)
  closeSync(fd)
  expect(verdict.headline).toMatch(/open for writing \(ETXTBSY\)/)
  expect(verdict.evidence).toContainEqual(['writer', expect.stringMatching(RegExp(`pid ${process.pid}$`))])
  expect(status).toBe(126)
  expect((await run(path)).status).toBe(0)
})

test('arguments that the stack has no room for', async () => {
  const args = Array.from({ length: 40 }, () => 'a'.repeat(100_000))
  const { verdict } = await run('/bin/true', args)
  expect(verdict.headline).toMatch(/longer than a quarter of its stack.*E2BIG/)
  const [, stack] = /stack: (\d+)/.exec(verdict.remedy!)!
  expect((await run('/bin/true', args, { ulimits: { stack: Number(stack) } })).status).toBe(0)
})

test('a mount with noexec', async () => {
  const mounts = [{ tmpfs: '/mnt' }]
  const copy = ['-c', 'cp /bin/true /mnt/t && exec /mnt/t']
  expect((await run('sh', copy, { mounts })).status).toBe(126)
  const volume = (words: string) => [{ volume: `${make(truth)}:/mnt${words}` }]
  const options: StartOptions = { sandbox: true, mounts: volume(':noexec') }
  expect((await run('/mnt', [], options)).verdict.headline).toMatch(/on a mount with noexec \(EACCES\)/)
  expect((await run('/mnt', [], { ...options, mounts: volume('') })).status).toBe(0)
})

test('a rule of Landlock, and a profile, that refuse it', async () => {
  const path = make(truth)
  const limited = await run(path, [], { landlock: ['/usr:rx', '/lib:rx', '/lib64:rx'], newPrivileges: false })
  expect(limited.verdict.headline).toMatch(/Landlock/)
  const allowed = JSON.parse(/landlock: (\[.*\])/.exec(limited.verdict.remedy!)![1]!) as string[]
  expect((await run(path, [], { landlock: allowed, newPrivileges: false })).status).toBe(0)
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['execve', 'execveat'], action: 'SCMP_ACT_ERRNO' }],
  } as never
  const filtered = await run(path, [], { seccomp })
  expect(filtered.verdict.headline).toMatch(/active seccomp profile refuses execve.*EPERM/)
})

test('a program in a home directory of the host, as version managers install them, is brought into a sandbox', async () => {
  const home = `${ground}/home/me`
  for (const name of ['shims', 'libexec', 'v/1/bin', 'v/1/lib'])
    mkdirSync(`${home}/.pyenv/${name}`, { recursive: true })
  const shims = `${home}/.pyenv/shims`
  writeFileSync(`${shims}/pytool`, `#!/usr/bin/env bash\nexec ${home}/.pyenv/v/1/bin/real\n`)
  copyFileSync('/bin/true', `${home}/.pyenv/v/1/bin/real`)
  mkdirSync(`${home}/.local/bin`, { recursive: true })
  symlinkSync(`${home}/.pyenv/v/1/bin/real`, `${home}/.local/bin/linked`)
  chmodSync(`${shims}/pytool`, 0o755)
  for (const [name, directory] of [
    ['pytool', shims],
    ['linked', `${home}/.local/bin`],
  ] as const) {
    const options: StartOptions = { sandbox: true, timeout: '30s', env: { PATH: `${directory}:/usr/bin:/bin` } }
    const refused = await run(name, [], options)
    expect(refused).toMatchObject({ status: 127, reason: 'not-found' })
    expect(refused.verdict.headline).toBe(`${name} is at ${directory}/${name} on the host, but not inside`)
    const mounts = [...refused.verdict.remedy!.matchAll(/volume: "([^"]+)"/g)].map(([, volume]) => ({
      volume: volume!,
    }))
    expect((await run(name, [], { ...options, mounts })).status).toBe(0)
  }
})

test('a pool tells the same', async () => {
  const path = make('#!/no/such\n')
  await using pool = await createPool({ size: 1, plan: { sandbox: true, mounts: [{ volume: `${ground}:${ground}` }] } })
  const { verdict } = await pool.run([path])
  expect(verdict.headline).toMatch(/interpreter that it names does not exist/)
})

/** Gives a file the effective capability NET_RAW: version 2 of the attribute, permitted mask bit 13 (capabilities(7)). */
function giveFileCapability(path: string): void {
  const value = '0x0100000200200000000000000000000000000000'
  execFileSync('setfattr', ['-n', 'security.capability', '-v', value, path])
}

test('capabilities of the file that the job may not have are named, and the program runs with them', async (context) => {
  requires(context, 'root', 'setfattr(1)')
  const path = make(truth)
  giveFileCapability(path)
  const options: StartOptions = { user: '65534:65534', isolate: 'none', newPrivileges: true }
  const refused = await run(path, [], { ...options, capDrop: 'ALL' })
  expect(refused.verdict.headline).toMatch(/capabilities that the job may not have: CAP_NET_RAW \(EPERM\)/)
  expect(refused.verdict.remedy).toContain('capAdd')
  expect((await run(path, [], { ...options, capDrop: 'ALL', capAdd: 'NET_RAW' })).status).toBe(0)
})

test('one argument that is longer than 128 KiB is named', async () => {
  const { status, verdict } = await run('true', ['x'.repeat(131_073)])
  expect(status).toBe(126)
  expect(verdict.headline).toMatch(/longer than 128 KiB \(E2BIG\)/)
  expect(verdict.remedy).toBe('pass it by stdin or in a file')
})
