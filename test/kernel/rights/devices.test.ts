// SPDX-License-Identifier: Apache-2.0
// Devices: what a job with a /dev of its own sees, and what it may use, on v1 and v2, as root and without.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { run } from '../../../src/index.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { prepare } from '../../../src/run/launch.ts'
import { hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { hostMounts, makeImage, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
// every kernel has it, it does no harm, and it is in no usual list
const other = '/dev/kmsg'
const before = hostMounts()

beforeEach((context) => requires(context, 'root', 'busybox'))
afterAll(() => {
  remove()
  expect(hostMounts()).toBe(before)
})

/** With the capabilities that nodes and /dev/kmsg take: what refuses is the list. */
async function inside(script: string, options: RunOptions = {}) {
  const all = { rootfs: image, capAdd: ['MKNOD', 'SYSLOG'], ...options }
  const { stdout, stderr, exitCode } = await run('sh', ['-c', script], all)
  return { out: stdout, err: stderr, exitCode }
}

const open = (path: string) => `dd if=${path} of=/dev/null bs=1 count=0 2>&1 && echo opened`

test('a node that was made opens nothing but what the list has', async () => {
  // a file system of its own, since the root and its volumes have no devices
  const script = (make: string) => `mknod /data/x ${make} && ${open('/data/x')}`
  const own = { mounts: [{ tmpfs: '/data:dev' }] }
  expect((await inside(script('c 1 5'), own)).out).toContain('opened')
  expect((await inside(script('c 1 11'), own)).out).toContain('Operation not permitted')
  // the control: it is the list that refuses it
  const { out } = await inside(script('c 1 11'), { ...own, devices: [other] })
  expect(out).toContain('opened')
})

test('a device appears where it is asked for, and may be used', async () => {
  const { out } = await inside(`ls /dev/kmsg /dev/sub/log; ${open('/dev/kmsg')}; ${open('/dev/sub/log')}`, {
    devices: [other, `${other}:/dev/sub/log`],
  })
  expect(out).toMatch(/\/dev\/kmsg\n\/dev\/sub\/log\n[\s\S]*opened\n[\s\S]*opened\n/)
})

test('for reading alone it cannot be written', async () => {
  const { out } = await inside(`${open('/dev/kmsg')}; echo x 2>&1 > /dev/kmsg || echo refused`, {
    devices: [`${other}:r`],
  })
  expect(out).toMatch(/opened[\s\S]*refused/)
})

test('the usual devices work: null, zero, random, tty, and a terminal of its own', async () => {
  const { out, err } = await inside(
    'for one in null zero full random urandom; do dd if=/dev/$one of=/dev/null bs=1 count=1 || exit 1; done; : > /dev/ptmx && echo all',
  )
  expect([out, err]).toEqual(['all\n', expect.not.stringContaining('not permitted')])
})

test('without a /dev of its own no list is in force', async () => {
  const { stdout } = await run('sh', ['-c', open(other)], { readOnly: true })
  expect(stdout).toContain('opened')
})

test('on hybrid the group for devices is made only then', async (context) => {
  requires(context, 'v1 controllers')
  if (!readHost().v1.devices) return context.skip('needs the devices controller')
  const groups = async (args: string[]) => {
    const { stdout } = await hutch(['run', '--explain', ...args, '--', 'true'])
    return /mkdir \S*\/devices\//.test(stdout)
  }
  expect([await groups([]), await groups(['--dev'])]).toEqual([false, true])
})

test('a root from which no other device can be reached needs no list, and opens none', async () => {
  const held = (options: RunOptions) =>
    prepare(parseOptions('true', [], { rootfs: image, seccomp: 'none', ...options }, 'library')).program.outer.some(
      (op) => op.op === 'attachDeviceFilter' || (op.op === 'writeFile' && op.path.endsWith('/devices.allow')),
    )
  for (const options of [{}, { isolate: ['all', 'user'] }, { capDrop: 'ALL' }, { mounts: [{ tmpfs: '/tmp' }] }])
    expect([options, held(options as RunOptions)]).toEqual([options, false])
  // each of these is a way to one
  for (const options of [
    { capAdd: 'MKNOD' },
    { capAdd: 'SYS_ADMIN', isolate: ['all', 'user'] },
    { capAdd: 'DAC_READ_SEARCH' },
    { mounts: [{ tmpfs: '/tmp:dev' }] },
    { mounts: [{ volume: '/dev:/data:dev' }] },
    { devices: [other] },
    { rootfs: undefined, dev: true },
  ])
    expect([options, held(options as RunOptions)]).toEqual([options, true])
  const nodes = mkdtempSync(`${work}/nodes-`)
  execFileSync('mknod', ['-m', '666', `${nodes}/x`, 'c', '1', '11'])
  const volume = (word: string) => ({ mounts: [{ volume: `${nodes}:/data${word}` }], capAdd: ['SYSLOG'] })
  // the image's, one made inside, and the image's once the mount is one's own and may be changed
  const script = `${open('/data/x')}; mknod /tmp/x c 1 11 2>&1; unshare -Urm sh -c 'mount -o remount,dev,bind /data; ${open('/data/x')}' 2>&1`
  for (const isolate of ['all', ['all', 'user']] as const) {
    const { out } = await inside(script, { ...volume(''), capAdd: [], isolate })
    expect(out).not.toContain('opened')
    expect(out).toContain('ermission denied')
  }
  // the control: with devices on the mount it opens, once the list has it
  expect((await inside(open('/data/x'), { ...volume(':dev'), devices: [other] })).out).toContain('opened')
})

test('what is no device, or is not there, is named', async () => {
  writeFileSync(`${work}/file`, '')
  mkdirSync(`${work}/directory`)
  for (const [path, why] of [
    [`${work}/file`, 'not a device'],
    [`${work}/directory`, 'not a device'],
    ['/dev/none', 'ENOENT'],
  ] as const) {
    const { status, stderr } = await hutch(['run', '--device', path, '--', 'true'])
    expect([status, stderr]).toEqual([125, expect.stringContaining(`invalid value ${path} for --device: `)])
    expect(stderr).toContain(why)
  }
})

test('without root it is bound alone, and a limit on it is refused in words', async () => {
  const seen = await runAs(65_534, ['--device', '/dev/zero:/dev/nought', '--', 'ls', '/dev/nought'])
  expect(seen).toEqual({ status: 0, stdout: '/dev/nought\n', stderr: '' })
  const { status, stderr } = await runAs(65_534, ['--device', '/dev/zero:r', '--', 'true'])
  expect([status, stderr]).toEqual([125, expect.stringContaining('only root can limit it to r')])
})
