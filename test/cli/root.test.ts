// SPDX-License-Identifier: Apache-2.0
// hutch run: an own root and mounts.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { makeImage, workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { hutch } from './hutch.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
mkdirSync(`${work}/volume`)
writeFileSync(`${work}/volume/file`, 'from outside\n')
beforeEach((context) => requires(context, 'root', 'busybox'))
afterAll(remove)

const run = (...args: string[]) => hutch(['run', ...args], { cwd: work })

test('mounts of all kinds are attached in the order in which they stand', async () => {
  const onTop = [
    '--tmpfs',
    '/data',
    '--volume',
    'volume:/data/in',
    '--overlay',
    'volume:/data/in/over',
    '--',
    'ls',
    '/data/in',
  ]
  mkdirSync(`${work}/volume/over`)
  expect(await run('--rootfs', 'image', ...onTop)).toEqual({ status: 0, stdout: 'file\nover\n', stderr: '' })
  const covered = ['--volume', 'volume:/data', '--tmpfs', '/data', '--', 'ls', '/data']
  expect(await run('--rootfs', 'image', ...covered)).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('a read-only host root with one writable directory', async () => {
  const script = 'touch /etc/x 2>/dev/null || echo refused; echo new > volume/new'
  expect(await run('--read-only', '--volume', `volume:${work}/volume`, '--', 'sh', '-c', script)).toEqual({
    status: 0,
    stdout: 'refused\n',
    stderr: '',
  })
  expect(readFileSync(`${work}/volume/new`, 'utf8')).toBe('new\n')
})

test('a throw-away image', async () => {
  const before = readdirSync(image)
  const { stdout } = await run(
    '--rootfs',
    'image',
    '--overlay',
    'image:/',
    '--',
    'sh',
    '-c',
    'touch /new; ls -d /new; echo $PATH',
  )
  expect(stdout).toBe(`/new\n${process.env.PATH}\n`)
  expect(readdirSync(image)).toEqual(before)
})

test.each([
  [['--volume', 'volume:/data:r0'], '--volume', 'r0'],
  [['--tmpfs', 'tmp'], '--tmpfs', 'tmp'],
  [['--overlay', 'volume'], '--overlay', 'volume'],
  [['--rootfs', ''], '--rootfs', ''],
])('%j is refused by its flag', async (args, flag, value) => {
  const { status, stderr } = await run(...args, '--', 'true')
  expect(status).toBe(125)
  expect(stderr).toMatch(new RegExp(`^hutch: (cannot use|invalid value) "?${value}"? for ${flag}.*\\n {2}remedy: `))
})

test('what has no mount namespace has no root of its own', async () => {
  const { status, stderr } = await run('--isolate', 'pid', '--rootfs', 'image', '--', 'true')
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: `hutch: cannot use --rootfs: without a mount namespace it would change the mounts of this host
  remedy: add mount to --isolate
`,
  })
})

test('--explain shows the steps and the shell lines', async () => {
  const { stdout } = await run('--explain', '--rootfs', '/an image', '--volume', '/v:/data:ro', '--', 'true')
  for (const line of [
    'openRoot        copy the mounts of /an image to be the root (nodev)',
    'attachTree      put /v at /data (ro, nosuid, nodev)',
    'coverPath       hide /proc/kcore',
    "mount --rbind '/an image' $ROOT; mount -o remount,bind,nodev $ROOT",
    'cd $ROOT; pivot_root . .; umount -l .',
  ])
    expect(stdout).toContain(line)
})
