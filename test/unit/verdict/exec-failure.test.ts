// SPDX-License-Identifier: Apache-2.0
// Why a program could not be executed, from facts alone: each errno, each kind of file, and the words of each front end.
import { constants } from 'node:os'
import { expect, test } from 'vitest'
import {
  type ExecFacts,
  explainErrno,
  explainExecFailure,
  type ProgramReport,
} from '../../../src/verdict/exec-failure.ts'
import { execErrnos } from '../../../src/verdict/exec-words.ts'

const look = (some: Partial<ProgramReport> = {}): ProgramReport => ({
  path: '/srv/tool',
  target: '',
  loader: '',
  barrier: 0,
  mode: 0o100755,
  owner: 0,
  user: 1000,
  noexec: false,
  head: Buffer.from('\x7fELF\x02\x01\x01', 'latin1'),
  ...some,
})

const facts = (errno: string, looks: ProgramReport[], some: Partial<ExecFacts> = {}): ExecFacts => ({
  command: '/srv/tool',
  errno,
  looks,
  searchPath: '/usr/bin:/bin',
  frontend: 'cli',
  ownRoot: false,
  filtered: false,
  landlock: false,
  arch: 'x64',
  outside: (path) => path,
  ...some,
})

const elf = (machine: number, bits: 32 | 64 = 64) => {
  const head = Buffer.alloc(256)
  head.write('\x7fELF', 'latin1')
  head[4] = bits / 32
  head[5] = 1
  head.writeUInt16LE(2, 16)
  head.writeUInt16LE(machine, 18)
  return head
}
const script = (text: string, some: Partial<ProgramReport> = {}) => look({ head: Buffer.from(text), ...some })

test.each<[what: string, facts: ExecFacts, headline: RegExp, remedy: RegExp]>([
  [
    'an interpreter that does not exist',
    facts('ENOENT', [script('#!/opt/python3.99\n', { loader: '/opt/python3.99', loaderError: 'ENOENT' })]),
    /interpreter that it names does not exist \(ENOENT\)$/,
    /: python3 \/srv\/tool$/,
  ],
  [
    'a carriage return',
    facts('ENOENT', [script('#!/bin/sh\r\n', { loader: '/bin/sh\r', loaderError: 'ENOENT' })]),
    /carriage return \(\\r\)/,
    /: sed -i 's\/\\r\$\/\/' \/srv\/tool$/,
  ],
  [
    'the loader of a 32-bit program',
    facts('ENOENT', [look({ head: elf(3, 32), loader: '/lib/ld-linux.so.2', loaderError: 'ENOENT' })]),
    /the loader that it names does not exist/,
    /libc6:i386/,
  ],
  [
    'a link that leads nowhere',
    facts('ENOENT', [look({ error: 'ENOENT', target: '/gone', barrier: 5 })]),
    /symbolic link to \/gone, which does not exist/,
    /ln -sfn/,
  ],
  [
    'no program',
    facts('ENOENT', [look({ error: 'ENOENT', barrier: 4 })]),
    /no such program/,
    /give a path that exists$/,
  ],
  [
    'a directory without search permission',
    facts('EACCES', [look({ error: 'EACCES', barrier: 4, mode: 0o040700 })]),
    /user 1000 cannot search the directory \/srv /,
    /: chmod a\+x \/srv$/,
  ],
  ['a directory', facts('EACCES', [look({ mode: 0o040755 })]), /it is a directory/, /ls -l/],
  ['a named pipe', facts('EACCES', [look({ mode: 0o010755 })]), /it is a named pipe/, /give a program$/],
  [
    'no x at all',
    facts('EACCES', [look({ mode: 0o100644, access: 'EACCES' })]),
    /not executable \(mode 0644\)/,
    /: chmod a\+rx \/srv\/tool$/,
  ],
  [
    'text without x',
    facts('EACCES', [script('print(1)\n', { mode: 0o100644, path: '/srv/a.py' })]),
    /not executable \(mode 0644\), and is a text without a first line/,
    /: python3 \/srv\/a.py$/,
  ],
  [
    'x for others only',
    facts('EACCES', [look({ mode: 0o100750, access: 'EACCES' })]),
    /user 1000 may not execute it/,
    /: chmod a\+rx \/srv\/tool$/,
  ],
  ['a noexec mount', facts('EACCES', [look({ noexec: true })]), /on a mount with noexec/, /remount,exec/],
  [
    'a script on a noexec mount',
    facts('EACCES', [script('#!/bin/sh -e\n', { noexec: true })]),
    /noexec/,
    /: \/bin\/sh -e \/srv\/tool$/,
  ],
  [
    'an interpreter without x',
    facts('EACCES', [script('#!/srv/py\n', { loader: '/srv/py' }), look({ path: '/srv/py', mode: 0o100644 })]),
    /its interpreter \/srv\/py is not executable/,
    /: chmod a\+rx \/srv\/py$/,
  ],
  [
    'Landlock',
    facts('EACCES', [look()], { landlock: true }),
    /Landlock/,
    /: add --landlock \/srv:rx --landlock \/usr:rx --landlock \/lib:rx --landlock \/lib64:rx$/,
  ],
  [
    'capabilities of the file',
    facts('EPERM', [look()], { filtered: true, deniedCapabilities: ['CAP_NET_RAW'] }),
    /may not have: CAP_NET_RAW \(EPERM\)/,
    /--cap-add/,
  ],
  ['a profile', facts('EPERM', [look()], { filtered: true }), /seccomp profile/, /: add --seccomp default$/],
  [
    'a filter of bwrap',
    facts('EPERM', [look()], { filtered: true, frontend: 'bwrap' }),
    /seccomp profile/,
    /^allow execve in the filter that is given$/,
  ],
  ['an empty file', facts('ENOEXEC', [look({ head: Buffer.alloc(0) })]), /it is empty/, /copy it again/],
  ['text', facts('ENOEXEC', [script('echo hi\n')]), /a text without a first line/, /: sh \/srv\/tool$/],
  ['a byte-order mark', facts('ENOEXEC', [script('\ufeff#!/bin/sh\n')]), /byte-order mark/, /: sed -i /],
  ['a long first line', facts('ENOEXEC', [script(`#!/${'a'.repeat(254)}`)]), /longer than the 256 bytes/, /shorten/],
  [
    'another machine',
    facts('ENOEXEC', [look({ head: elf(183) })]),
    /ARM64 \(aarch64\), and this machine is x86-64/,
    /qemu/,
  ],
  ['32 bit', facts('ENOEXEC', [look({ head: elf(3, 32) })]), /x86 \(32 bit\), and this machine is x86-64/, /build/],
  ['cut off', facts('ENOEXEC', [look({ head: elf(62) })]), /damaged or cut off/, /copy it again/],
  ['Windows', facts('ENOEXEC', [script('MZ\x90\0')]), /Windows/, /Linux/],
  ['links in a circle', facts('ELOOP', [look({ error: 'ELOOP', barrier: 9 })]), /form a loop/, /namei/],
  [
    'through a file',
    facts('ENOTDIR', [look({ error: 'ENOTDIR', barrier: 4 })]),
    /\/srv is a file, not a directory/,
    /path/,
  ],
  [
    'a writer',
    facts('ETXTBSY', [look()], { writers: [{ pid: 42, name: 'cp' }] }),
    /it is open for writing/,
    /tail --pid=42 -f \/dev\/null$/,
  ],
  [
    'many arguments',
    facts('E2BIG', [look()], { argumentBytes: { total: 3_000_000, longest: 100 } }),
    /quarter of its stack/,
    /: add --ulimit stack=132\d+$/,
  ],
  [
    'one long argument',
    facts('E2BIG', [look()], { argumentBytes: { total: 300_000, longest: 200_000 } }),
    /longer than 128 KiB/,
    /stdin/,
  ],
])('%s', (_, given, headline, remedy) => {
  const told = explainExecFailure(given)
  expect(told.headline).toMatch(headline)
  expect(told.remedy).toMatch(remedy)
})

test.each([
  ['cli', '--volume /home/me/.pyenv:/home/me/.pyenv:ro'],
  ['bwrap', '--ro-bind /home/me/.pyenv /home/me/.pyenv'],
  ['library', 'mounts: [{ volume: "/home/me/.pyenv:/home/me/.pyenv:ro" }]'],
] as const)('a program that exists on the host alone is told with the options of %s', (frontend, option) => {
  const onHost = { path: '/home/me/.pyenv/shims/python', volumes: ['/home/me/.pyenv'] }
  const missing = look({ path: 'python', error: 'ENOENT' })
  const told = explainExecFailure(facts('ENOENT', [missing], { command: 'python', ownRoot: true, onHost, frontend }))
  expect(told).toMatchObject({
    headline: 'python is at /home/me/.pyenv/shims/python on the host, but not inside',
    notInside: true,
  })
  expect(told.remedy).toBe(`bring it in: add ${option}`)
})

test('every errno of exec has words without a look, and they are numbers of this system', () => {
  for (const errno of execErrnos) {
    const { headline, remedy } = explainExecFailure(facts(errno, []))
    expect([errno, headline]).toEqual([
      errno,
      expect.stringMatching(RegExp(`^cannot run /srv/tool: .+ \\(${errno}\\)$`)),
    ])
    expect(remedy).not.toBe('')
    if (errno !== 'ELIBBAD') expect(constants.errno).toHaveProperty(errno)
  }
})

test('names of others are escaped, and a shell reads them as they are', () => {
  const evil = look({ path: '/srv/a\x1b[31m\n', mode: 0o100644 })
  const { headline, remedy } = explainExecFailure(facts('EACCES', [evil], { command: '/srv/a\x1b[31m\n' }))
  expect(headline + remedy).not.toMatch(/[\x00-\x1f]/)
  expect(remedy).toContain("chmod a+rx $'/srv/a\\x1b[31m\\x0a'")
})

test('an errno that a limit of the job can cause names the limit', () => {
  const spec = { frontend: 'cli' as const }
  const failed = explainErrno('true', 'EAGAIN', '/bin', spec, ['--ulimit nproc is 0', 'raise --ulimit nproc'])
  expect(failed).toMatchObject({ evidence: [['limits', '--ulimit nproc is 0']], remedy: 'raise --ulimit nproc' })
  expect(explainErrno('true', 'EAGAIN', '/bin', spec).remedy).toContain('ulimit -u')
})
