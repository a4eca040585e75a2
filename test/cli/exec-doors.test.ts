// SPDX-License-Identifier: Apache-2.0
// A program that cannot be executed is explained with the same words by every front end.
import { chmodSync, copyFileSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Cgroup, run } from '../../src/index.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const { path: work, remove } = workplace()
let group: Cgroup

beforeAll(async () => {
  const write = (name: string, text: string | Buffer, mode = 0o755) => {
    writeFileSync(`${work}/${name}`, text)
    chmodSync(`${work}/${name}`, mode)
  }
  write('returns', '#!/bin/sh\r\necho x\r\n')
  write('lost', '#!/no/such/interpreter\n')
  write('unmarked', 'echo no first line', 0o644)
  const elf = readFileSync('/bin/true')
  const foreign = Buffer.from(elf)
  foreign.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18)
  write('foreign', foreign)
  const loaderless = Buffer.from(elf)
  const at = loaderless.indexOf('/lib')
  loaderless.write('/bil', at)
  write('loaderless', loaderless)
  mkdirSync(`${work}/directory`)
  symlinkSync('circle', `${work}/circle`)
  copyFileSync('/bin/true', `${work}/written`)
  // held open for writing to the end of the tests
  openSync(`${work}/written`, 'r+')
  group = await Cgroup.create(`hutch-exec-doors-${process.pid}`)
})
beforeEach((context) => requires(context, 'root'))
afterAll(async () => {
  await group?.remove()
  remove()
})

const bwrap = ['bwrap', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--bind', work, work]
const doors: [name: string, args: () => string[]][] = [
  ['run', () => ['run', '--']],
  ['cgroup exec', () => ['cgroup', 'exec', group.path, '--']],
  ['bwrap', () => bwrap],
  ['bwrap with limits', () => [...bwrap, '--hutch-pids', '50']],
  ['unshare', () => ['unshare', '--uts']],
]
const programs: [name: string, says: RegExp, errno: string][] = [
  ['returns', /ends in a carriage return/, 'ENOENT'],
  ['lost', /the interpreter that it names does not exist/, 'ENOENT'],
  ['unmarked', /is not executable \(mode 0644\)/, 'EACCES'],
  ['foreign', /is an ELF file for .*, and this machine is/, 'ENOEXEC'],
  ['loaderless', /the loader that it names does not exist/, 'ENOENT'],
  ['directory', /is a directory/, 'EACCES'],
  ['circle', /form a loop/, 'ELOOP'],
  ['written', /is open for writing/, 'ETXTBSY'],
  ['directory/none', /no such program/, 'ENOENT'],
  ['returns/below', /is a file, not a directory/, 'ENOTDIR'],
  ['n'.repeat(256), /longer than 4095 bytes, or a part of it than 255/, 'ENAMETOOLONG'],
]

test.each(doors)('%s', async (door, args) => {
  // execvp(3), which cgexec uses, gives what has no known format to sh
  const explained = programs.filter(([, , errno]) => door !== 'cgroup exec' || errno !== 'ENOEXEC')
  for (const [name, says, errno] of explained) {
    const { stderr, stdout } = await hutch([...args(), `${work}/${name}`])
    expect([name, stdout, stderr]).toEqual([name, '', expect.stringMatching(says)])
    expect(stderr).toContain(errno)
    expect(stderr).toContain('remedy')
  }
})

test('cgexec becomes what a command in PATH is, and explains what cannot be executed', async () => {
  const { stderr } = await collect(hutchFile, [...hutchArgs, 'cgexec', '-g', `pids:${group.path}`, `${work}/returns`])
  expect(stderr).toMatch(/ends in a carriage return/)
  expect(stderr).toContain(`sed -i 's/\\r$//' ${work}/returns`)
})

test('remedies of the cause are those of the words', async () => {
  const { cause, verdict } = await run(`${work}/returns`, [])
  expect(cause.remedies).toEqual([
    {
      argv: ['sh', '-c', `sed -i 's/\\r$//' ${work}/returns`],
      reason: expect.stringContaining('line ends of Windows'),
    },
  ])
  expect(verdict.remedy).toContain(cause.remedies[0]!.argv![2])
})
