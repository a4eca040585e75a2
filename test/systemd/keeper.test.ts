// SPDX-License-Identifier: Apache-2.0
// Groups that last, on a machine that systemd runs: in a scope of its, gone with the last of them.
import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { hutch } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'
import { asUser, makeUser, mount, output, tree, uid } from './machine.ts'

beforeEach((context) => requires(context, 'systemd', 'v2', 'root'))
beforeAll(() => {
  if (process.env.VM && process.geteuid!() === 0) makeUser()
})

/** Until systemd has cleared up, or half a minute. */
async function gone(directory: string): Promise<boolean> {
  for (let tries = 0; tries < 300 && existsSync(directory); tries++)
    await new Promise((resolve) => setTimeout(resolve, 100))
  return !existsSync(directory)
}

test.for([
  ['root', {}, `${mount}/system.slice/hutch.scope`],
  ['a user', asUser(), `${mount}/user.slice/user-${uid}.slice/user@${uid}.service/app.slice/hutch.scope`],
] as const)('%s makes groups that last, and the last one takes the scope along', async ([_who, options, scope]) => {
  // the first scope of a slice has systemd hand controllers down there, for good
  expect(await hutch(['cgroup', 'create', 'first'], options)).toMatchObject({ status: 0, stderr: '' })
  expect(await hutch(['cgroup', 'rm', 'first'], options)).toMatchObject({ status: 0, stderr: '' })
  expect(await gone(scope)).toBe(true)
  const before = tree()
  const made = await hutch(['cgroup', 'create', 'web', 'db', '--memory', '50M', '--pids', '20'], options)
  const path = scope.slice(mount.length)
  expect(made).toEqual({ status: 0, stdout: `${path}/web\n${path}/db\n`, stderr: '' })
  expect(readFileSync(`${scope}/web/memory.max`, 'utf8')).toBe('52428800\n')
  expect(await hutch(['cgroup', 'set', 'web', 'pids.max=30'], options)).toMatchObject({ status: 0, stderr: '' })
  expect((await hutch(['cgroup', 'get', 'web', 'pids.max'], options)).stdout).toBe('30\n')
  expect(await hutch(['cgroup', 'rm', 'web'], options)).toMatchObject({ status: 0, stderr: '' })
  expect(existsSync(`${scope}/db`)).toBe(true)
  expect(await hutch(['cgroup', 'rm', 'db'], options)).toMatchObject({ status: 0, stderr: '' })
  expect(await gone(scope)).toBe(true)
  expect(output('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'hutch.scope')).toBe('')
  expect(tree()).toEqual(before)
})

test('from outside of the user’s own groups a process gets into them by way of a scope', async () => {
  const options = asUser()
  await hutch(['cgroup', 'create', 'there', '--pids', '20'], options)
  const inside = await hutch(['cgroup', 'exec', 'there', '--', 'cat', '/proc/self/cgroup'], options)
  expect(inside).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/\/hutch\.scope\/there\n$/) })
  const parent = inside.stdout.trim().slice('0::'.length)
  const args = ['--parent', parent, '--isolate', 'none', '--pids', '9', '--', 'cat', '/proc/self/cgroup']
  const below = await hutch(['run', ...args], options)
  expect(below).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining(`${parent}/hutch-`) })
  expect((await hutch(['cgroup', 'rm', 'there'], options)).status).toBe(0)
})

test('a path with a leading slash is taken as it is', async () => {
  expect((await hutch(['cgroup', 'create', '/hutch-by-hand'])).stdout).toBe('/hutch-by-hand\n')
  expect(existsSync(`${mount}/hutch-by-hand`)).toBe(true)
  expect(await hutch(['cgroup', 'rm', '/hutch-by-hand'])).toMatchObject({ status: 0 })
})
