// SPDX-License-Identifier: Apache-2.0
// Idmapped volumes: files that belong to ids of the host belong to the same ids inside, whatever the map of the job is.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { HutchError, run } from '../../../src/index.ts'
import { hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { hostMounts, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const map = { mapUsers: '0:100000:65536', user: '0' }
const before = hostMounts()
let lacking: string | undefined

beforeAll(async () => {
  for (const name of ['data/sub', 'other']) mkdirSync(`${work}/${name}`, { recursive: true })
  writeFileSync(`${work}/data/file`, '')
  const error = await run('true', [], { ...map, mounts: [{ volume: `${work}/data:/mnt:idmap` }] }).catch(
    (reason) => reason,
  )
  if (!HutchError.is(error)) return
  // what a file system that cannot do it answers
  expect(error).toMatchObject({ code: 'MOUNT_REFUSED', errno: 'EINVAL' })
  expect(error.message).toMatch(/the ids of its file system, \w+, cannot be mapped/)
  lacking = 'needs a file system with idmapped mounts'
})
beforeEach((context) => {
  requires(context, 'root')
  if (lacking) context.skip(lacking)
})
afterAll(() => {
  remove()
  expect(hostMounts()).toBe(before)
})

const inside = async (script: string, mounts: { volume: string }[]) =>
  (await run('sh', ['-c', script], { ...map, mounts })).stdout

test('with idmap root inside is the owner, without it nobody is', async () => {
  const look = 'stat -c %u /mnt/file'
  expect(await inside(look, [{ volume: `${work}/data:/mnt` }])).toBe('65534\n')
  expect(await inside(look, [{ volume: `${work}/data:/mnt:idmap` }])).toBe('0\n')
})

test('what is made inside belongs to the same id outside', async () => {
  await inside('touch /mnt/new; chown 7:8 /mnt/new', [{ volume: `${work}/data:/mnt:idmap` }])
  expect(statSync(`${work}/data/new`)).toMatchObject({ uid: 7, gid: 8 })
})

test('each volume comes to its own place, and is as its options say', async () => {
  const out = await inside('ls /mnt /srv; touch /srv/x 2>&1', [
    { volume: `${work}/data/sub:/srv:ro,idmap` },
    { volume: `${work}/data:/mnt:idmap` },
  ])
  expect(out).toMatch(/^\/mnt:\nfile\nnew\nsub\n\n\/srv:\ntouch: .*Read-only file system\n$/)
  expect(readdirSync(`${work}/data/sub`)).toEqual([])
})

test('what it takes is told: a map, root, and a file system that can do it', async () => {
  const volume = (path: string) => ['--volume', `${path}:/mnt:idmap,bind`, '--', 'true']
  const without = await hutch(['run', ...volume(work)])
  expect([without.status, without.stderr]).toEqual([125, expect.stringContaining('add --map-users')])
  const proc = await hutch(['run', '--map-users', '0:100000:65536', ...volume('/proc/self')])
  expect([proc.status, proc.stderr]).toEqual([125, expect.stringContaining('file system, proc, cannot be mapped')])
  const none = await hutch(['run', '--map-users', '0:100000:65536', ...volume(`${work}/none`)])
  expect([none.status, none.stderr]).toEqual([125, expect.stringContaining('is not there (ENOENT)')])
  const user = await runAs(65_534, volume('/tmp'))
  expect([user.status, user.stderr]).toEqual([125, expect.stringContaining('only root may map the ids')])
})
