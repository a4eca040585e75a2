// SPDX-License-Identifier: Apache-2.0
// hutch why without an argument: the newest run that did not end with 0, kept for this user alone.
// In a VM only in `npm run test:kernels`.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { hutch } from './hutch.ts'

const place = mkdtempSync(`${tmpdir()}/hutch-test-last-`)
chmodSync(place, 0o755)
afterAll(() => rmSync(place, { recursive: true }))

/** A state directory of its own, and hutch with it. */
function user(name: string, more: NodeJS.ProcessEnv = {}) {
  const state = `${place}/${name}`
  const file = `${state}/hutch/last.json`
  const env = { ...process.env, HUTCH_STATE: undefined, XDG_STATE_HOME: state, ...more }
  return { state, file, hutch: (...args: string[]) => hutch(args, { env }) }
}
const failing = (status: number) => ['run', '--limit', 'none', '--', 'sh', '-c', `exit ${status}`]

test('the newest run that failed is explained; one that passed leaves it', async () => {
  const one = user('one')
  const none = await one.hutch('why')
  expect(none).toMatchObject({ status: 125, stderr: expect.stringContaining(one.file) })
  await one.hutch(...failing(3))
  await one.hutch(...failing(4))
  await one.hutch(...failing(0))
  expect((await one.hutch('why')).stdout).toMatch(/^sh .*status 4/)
  expect(statSync(one.file).mode & 0o777).toBe(0o600)
  expect(readdirSync(`${one.state}/hutch`)).toEqual(['last.json'])
  expect(JSON.parse(readFileSync(one.file, 'utf8')).status).toBe(4)
})

test('HUTCH_STATE=0 keeps none', async () => {
  const off = user('off', { HUTCH_STATE: '0' })
  await off.hutch(...failing(3))
  expect(existsSync(off.state)).toBe(false)
  expect(await off.hutch('why')).toMatchObject({ status: 125, stderr: expect.stringContaining('HUTCH_STATE') })
})

test('nothing is written through a link or into a directory of another user, and nothing is said', async (context) => {
  requires(context, 'root')
  const linked = user('linked')
  mkdirSync(linked.state)
  mkdirSync(`${place}/target`)
  symlinkSync(`${place}/target`, `${linked.state}/hutch`)
  const others = user('others')
  mkdirSync(others.state)
  chownSync(others.state, 65534, 65534)
  for (const { hutch } of [linked, others]) {
    const { status, stderr } = await hutch('run', '-q', ...failing(3).slice(1))
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' })
  }
  expect(readdirSync(`${place}/target`)).toEqual([])
  expect(readdirSync(others.state)).toEqual([])
})

test('what was there as a link is replaced, not followed', async () => {
  const swapped = user('swapped')
  mkdirSync(`${swapped.state}/hutch`, { recursive: true })
  symlinkSync(`${place}/elsewhere`, swapped.file)
  await swapped.hutch(...failing(3))
  expect(existsSync(`${place}/elsewhere`)).toBe(false)
  expect(JSON.parse(readFileSync(swapped.file, 'utf8')).status).toBe(3)
})
