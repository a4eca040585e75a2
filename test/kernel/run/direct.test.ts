// SPDX-License-Identifier: Apache-2.0
// Commands that hutch starts without hutch-init (native/caller/direct.c), and those that hutch-init must start after all.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { run } from '../../../src/index.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-direct-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))
const limits = { pids: 20 }

function program(path: string, text: string, mode = 0o755): string {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path.slice(0, path.lastIndexOf('/'))
}

test('what the command inherits is the same with and without hutch-init', async () => {
  const script = `cat /proc/self/cgroup
    grep -E '^(NoNewPrivs|Sig(Blk|Ign|Cgt)|Cap...):' /proc/self/status
    ls /proc/self/fd; pwd; umask; ulimit -a; env | sort; ps -o sid= -p $$ | wc -w`
  const options = { limits, cwd: work, env: { LANG: 'C' } }
  const ran = async (more: object) => (await run('sh', ['-c', script], { ...options, ...more })).stdout!
  // more than 1,024 arguments and variables are left to hutch-init
  const many = Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`X${i}`, 'x']))
  const without = (text: string) => text.replace(/^X\d+=x\n/gm, '').replace(/hutch-[-\d]+/g, 'hutch-')
  const direct = await ran({})
  expect(without(await ran({ env: { ...options.env, ...many } }))).toBe(without(direct))
  expect(direct).toMatch(/^NoNewPrivs:\t1$/m)
})

test('a search goes on after a directory without the program, or with one that must not be executed', async () => {
  const empty = `${work}/empty`
  mkdirSync(empty)
  const closed = program(`${work}/closed/tool`, '#!/bin/sh\necho closed\n', 0o644)
  const open = program(`${work}/open/tool`, '#!/bin/sh\necho open\n')
  const found = async (...path: string[]) => run('tool', [], { limits, env: { PATH: path.join(':') } })
  expect((await found(empty, closed, open)).stdout).toBe('open\n')
  expect(await found(empty, closed)).toMatchObject({ status: 126, cause: { kind: 'exec-failed', errno: 'EACCES' } })
  expect(await found(empty)).toMatchObject({ status: 127, cause: { kind: 'exec-failed', errno: 'ENOENT' } })
})

test('a file in no format of programs ends the search, as with hutch-init', async () => {
  const odd = program(`${work}/odd/tool`, '\x01\x02\x03')
  const open = program(`${work}/open/tool`, '#!/bin/sh\necho open\n')
  const env = { PATH: `${odd}:${open}` }
  expect(await run('tool', [], { limits, env })).toMatchObject({ cause: { kind: 'exec-failed', errno: 'ENOEXEC' } })
})

test('a working directory that is missing is an error, and nothing is left', async () => {
  await expect(run('true', [], { limits, cwd: `${work}/missing` })).rejects.toThrow(`${work}/missing`)
})
