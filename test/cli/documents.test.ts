// SPDX-License-Identifier: Apache-2.0
// Files that hutch writes for its caller, where the job changes what has their name meanwhile.
import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cli, collect, hutch } from './hutch.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(`${tmpdir()}/hutch-documents-`)
  writeFileSync(`${place}/victim`, 'mine')
})
afterEach(() => rmSync(place, { recursive: true }))

const bare = ['run', '--limit', 'none', '--isolate', 'none', '--quiet']
const flags = [
  ['report', '--report'],
  ['meta', '--meta'],
] as const

test.each(flags)(
  '%s: a link or pipe that the job leaves at the name is replaced, not written through',
  async (name, flag) => {
    for (const job of [`ln -s ${place}/victim`, 'mkfifo']) {
      const file = `${place}/${name}`
      rmSync(file, { force: true })
      const { status } = await hutch([...bare, flag, file, '--', 'sh', '-c', `${job} ${file}`])
      expect([status, lstatSync(file).isFile(), readFileSync(`${place}/victim`, 'utf8')]).toEqual([0, true, 'mine'])
      expect(readdirSync(place).sort()).toEqual([name, 'victim'].sort())
    }
  },
)

test('control: a shell that writes by name after the job writes through its link', () => {
  execFileSync('sh', ['-c', 'ln -s victim report; echo {} > report'], { cwd: place })
  expect(readFileSync(`${place}/victim`, 'utf8')).toBe('{}\n')
})

test.each(flags)(
  '%s: a directory that the job swaps for a link does not lead the file elsewhere',
  async (name, flag) => {
    mkdirSync(`${place}/out`)
    mkdirSync(`${place}/other`)
    const swap = `mv ${place}/out ${place}/moved; ln -s ${place}/other ${place}/out`
    const { status } = await hutch([...bare, flag, `${place}/out/${name}`, '--', 'sh', '-c', swap])
    expect([status, readdirSync(`${place}/moved`), readdirSync(`${place}/other`)]).toEqual([0, [name], []])
  },
)

test('a pipe of the caller is written to, one that nobody reads is an error, and /dev/stdout works', async () => {
  const words = [process.execPath, cli, ...bare, '--report', '/dev/stdout', '--', 'true']
  // a pipe: what Node starts has sockets, which cannot be opened again
  expect((await collect('sh', ['-c', '"$@" | cat', '-', ...words])).stdout).toMatch(/^\{\n/)
  execFileSync('mkfifo', [`${place}/pipe`])
  const { status, stderr } = await hutch([...bare, '--report', `${place}/pipe`, '--', 'true'])
  expect([status, stderr]).toEqual([125, expect.stringContaining('ENXIO')])
})

test('--stdout refuses a link that an earlier job left', async () => {
  symlinkSync('victim', `${place}/log`)
  const { status, stderr } = await hutch([...bare, '--stdout', `${place}/log`, '--', 'echo', 'x'])
  expect([status, stderr]).toEqual([125, expect.stringContaining('ELOOP')])
  expect(readFileSync(`${place}/victim`, 'utf8')).toBe('mine')
  expect((await collect('sh', ['-c', 'cd "$1"; echo x > log; cat victim', '-', place])).stdout).toBe('x\n')
})
