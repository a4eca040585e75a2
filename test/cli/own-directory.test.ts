// SPDX-License-Identifier: Apache-2.0
// Temporary directories of hutches that were killed are removed; what a running one holds is left alone, whatever its name and age.
// In a VM only in `npm run test:kernels`.
import { closeSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimDirectory, takeOver } from '../../src/host/claim.ts'
import { readHost } from '../../src/host/host.ts'
import { ownDirectory, removeAbandoned } from '../../src/host/own-directory.ts'

const place = mkdtempSync(`${tmpdir()}/hutch-test-own-`)
const { pid, pidNamespace } = readHost().owner
/** No process has it: the kernel's largest is 4194304. */
const dead = 4_194_305
const before = process.env.TMPDIR

beforeAll(() => {
  process.env.TMPDIR = place
})
afterAll(() => {
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
  rmSync(place, { recursive: true })
})

function age(path: string): void {
  const hourAgo = new Date(Date.now() - 3_600_000)
  utimesSync(path, hourAgo, hourAgo)
}

test.each([
  ['its maker has ended', `${dead}-${pidNamespace}`, { old: false, held: false }, false],
  ['its maker was in another pid namespace, long ago', `${dead}-1`, { old: true, held: false }, false],
  [
    'its maker was in another pid namespace, and may be about to lock it',
    `${pid}-1`,
    { old: false, held: false },
    true,
  ],
  ['its maker seems to have ended, and holds it', `${dead}-${pidNamespace}`, { old: true, held: true }, true],
  ['its maker is in another pid namespace, and holds it', `${pid}-1`, { old: true, held: true }, true],
  ['the id of its maker was taken by another process', `${pid}-${pidNamespace}`, { old: true, held: false }, false],
])('a directory when %s', (_, owner, { old, held }, stays) => {
  const path = `${place}/hutch-replay-${owner}-AbCdEf`
  mkdirSync(path)
  writeFileSync(`${path}/copy`, '')
  const lock = held ? claimDirectory(path) : undefined
  if (old) age(path)
  removeAbandoned('replay')
  expect(existsSync(path)).toBe(stays)
  if (lock !== undefined) closeSync(lock)
  rmSync(path, { recursive: true, force: true })
})

test('a directory that this process made is held until it ends', () => {
  const path = ownDirectory('tour')
  age(path)
  expect(takeOver(path, undefined)).toBeUndefined()
  removeAbandoned('tour')
  expect(existsSync(path)).toBe(true)
})

test('a directory for temporary files that does not exist is an error', () => {
  process.env.TMPDIR = `${place}/nowhere`
  expect(() => ownDirectory('replay')).toThrow(
    /cannot make a directory in .*\/nowhere: ENOENT\n {2}remedy: name a directory/,
  )
  process.env.TMPDIR = place
})
