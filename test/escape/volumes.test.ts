// SPDX-License-Identifier: Apache-2.0
// What root's sandbox can leave in a volume that it may write: no program that gives its caller rights on the host. Each attempt has a
// control, in which one guard is loosened and the same attempt gets through.
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPool, HutchError, type RunOptions, run } from '../../src/index.ts'
import { collect, hutch } from '../cli/hutch.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'

const { path: work, remove } = workplace()
const secret = `${work}/secret`
let lacking: string | undefined

beforeAll(async () => {
  chmodSync(work, 0o755)
  writeFileSync(secret, 'of root\n', { mode: 0o600 })
  const error: unknown = await inside('touch /w/x', {}, volume('try')).catch((reason: unknown) => reason)
  if (!HutchError.is(error)) return
  expect(error.message).toMatch(/cannot let the sandbox write .*cannot map the ids(.|\n)*add :ro/)
  lacking = 'needs a file system with idmapped mounts'
})
beforeEach((context) => {
  requires(context, 'root')
  if (lacking) context.skip(lacking)
})
afterAll(remove)

/** A directory of root that others may only read, with a program. */
function volume(name: string): string {
  mkdirSync(`${work}/${name}`, { mode: 0o755 })
  copyFileSync('/bin/cat', `${work}/${name}/cat`)
  return `${work}/${name}`
}

const inside = (script: string, options: RunOptions, path: string, kind = '') =>
  run('sh', ['-c', script], { sandbox: true, timeout: '120s', mounts: [{ volume: `${path}:/w${kind}` }], ...options })

/** Whether a user without rights reads root's file by this program. */
const readsSecret = async (program: string) => {
  const words = ['--reuid', '65534', '--regid', '65534', '--clear-groups', program, secret]
  return (await collect('setpriv', words)).stdout === 'of root\n'
}

test('files in it belong to root inside and on the host', async () => {
  const path = volume('own')
  expect((await inside('echo new > /w/new; stat -c %u /w /w/new', {}, path)).stdout).toBe('0\n0\n')
  expect(statSync(`${path}/new`)).toMatchObject({ uid: 0, gid: 0 })
})

const setUserId = 'chmod 4755 /w/cat; cp /w/cat /w/copy; chmod u+s /w/copy; install -m 4755 /w/cat /w/installed'

test('no set-user-ID program of root is left', async () => {
  const held = volume('set-id')
  await inside(setUserId, {}, held)
  const bits = readdirSync(held).map((name) => statSync(`${held}/${name}`).mode & 0o6000)
  expect(bits.length).toBeGreaterThanOrEqual(2)
  expect(bits.every((mode) => mode === 0)).toBe(true)
  expect(await readsSecret(`${held}/cat`)).toBe(false)
  // the control: the filter is loosened, and the ids are mapped by name
  const open = volume('set-id-open')
  await inside(setUserId, { seccomp: 'none' }, open, ':idmap')
  expect(await readsSecret(`${open}/cat`)).toBe(true)
})

test('without the filter of the sandbox, and with CAP_SETFCAP, the volume stays closed', async () => {
  const loosened: RunOptions[] = [{ seccomp: 'none' }, { seccomp: 'default' }, { capAdd: 'SETFCAP' }, { learn: true }]
  for (const [i, options] of loosened.entries()) {
    const path = volume(`closed-${i}`)
    const result = await inside('touch /w/new', options, path)
    expect([result.exitCode, readdirSync(path)]).toEqual([1, ['cat']])
    expect(result.verdict.evidence).toContainEqual(['possible', expect.stringContaining('a write below /w')])
  }
})

// cap_dac_read_search, permitted and effective, in the format of version 2
const setCapability = `python3 -c 'import os
os.setxattr("/w/cat", "security.capability", bytes.fromhex("0100000204000000000000000000000000000000"))'`

test('no program with file capabilities is left', async (context) => {
  const held = volume('capability')
  await inside(setCapability, {}, held)
  expect(await readsSecret(`${held}/cat`)).toBe(false)
  const open = volume('capability-open')
  const { stderr } = await inside(setCapability, { capAdd: 'SETFCAP' }, open, ':idmap')
  if (/not found/.test(stderr ?? '')) context.skip('needs python3')
  expect(await readsSecret(`${open}/cat`)).toBe(true)
})

test('a pool and a compiled file map the volume, too', async () => {
  const path = volume('pool')
  await using pool = await createPool({ size: 1, plan: { sandbox: true, mounts: [{ volume: `${path}:/w` }] } })
  expect((await pool.run(['touch', '/w/pooled'])).exitCode).toBe(0)
  const words = ['--sandbox', '--volume', `${path}:/w`, '--', 'touch', '/w/compiled']
  await hutch(['compile', '--output', `${work}/compiled`, ...words])
  expect((await collect(`${work}/compiled`, [])).stderr).toBe('')
  expect(['pooled', 'compiled'].map((name) => statSync(`${path}/${name}`).uid)).toEqual([0, 0])
})

test('no device is left', async () => {
  const path = volume('device')
  await inside('mknod /w/mem c 1 1', {}, path)
  expect(readdirSync(path)).toEqual(['cat'])
  // the control: without hutch
  await collect('mknod', [`${path}/mem`, 'c', '1', '1'])
  expect(lstatSync(`${path}/mem`).isCharacterDevice()).toBe(true)
})

test('a volume of another user is written as that user; the verdict says so', async () => {
  const path = volume('foreign')
  await collect('chown', ['1234:1234', path])
  const refused = await inside('touch /w/new', {}, path)
  expect(refused.verdict.evidence).toContainEqual(['possible', expect.stringContaining('belongs to user 1234')])
  expect((await inside('touch /w/new', { user: '1234:1234' }, path)).status).toBe(0)
  expect(statSync(`${path}/new`)).toMatchObject({ uid: 1234, gid: 1234 })
})

test('a volume that everybody may write keeps its ids, and read-only volumes do', async () => {
  const path = volume('everybody')
  chmodSync(path, 0o777)
  expect((await inside('touch /w/new; stat -c %u /w', {}, path)).stdout).toBe('65534\n')
  expect(statSync(`${path}/new`).uid).toBeGreaterThanOrEqual(524_288)
  expect((await inside('stat -c %u /w', {}, path, ':ro')).stdout).toBe('65534\n')
})
