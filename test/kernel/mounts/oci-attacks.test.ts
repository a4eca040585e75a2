// SPDX-License-Identifier: Apache-2.0
// Images that attack the mounts of an OCI container, as they attacked runc, crun and youki. Each attack has a control: what
// the same image does to one who goes by names alone.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import type { Mount, Root } from '../../../src/mounts/root.ts'
import { mountAttributes } from '../../../src/ops/mount-flags.ts'
import { hutchCommand } from '../../support/command.ts'
import { hostMounts, makeImage, tree, workplace } from '../../support/image.ts'
import { at, device, seenIn, usual } from '../../support/listed.ts'
import { requires } from '../../support/requires.ts'
import { startSwapper } from '../../support/swapper.ts'

const { path: work, remove } = workplace()
afterAll(remove)
const { nosuid, nodev } = mountAttributes
const starts = Number(process.env.HUTCH_ATTACKS ?? (process.env.VM ? 20 : 200))

/** A new image in which this name is a link. */
function imageWithLink(name: string, to: string): string {
  const image = makeImage(mkdtempSync(`${work}/image-`))
  chmodSync(image, 0o755)
  rmSync(`${image}/${name}`, { recursive: true, force: true })
  symlinkSync(to, `${image}/${name}`)
  return image
}

/** Runs a script in this image, where it may mount. */
function inImage(image: string, script: string): string {
  return execFileSync('unshare', ['-m', 'chroot', image, '/bin/sh', '-c', script], { encoding: 'utf8' })
}

const without = (...targets: string[]) => usual.filter(({ target }) => !targets.includes(target.split('/')[1]!))
const bare = { nodes: [], links: [] }

test.for<[string, string, Mount[], Partial<Root>]>([
  ['/proc (CVE-2019-19921, CVE-2023-27561)', 'proc', usual, {}],
  ['/sys (CVE-2025-54867)', 'sys', usual, {}],
  ['/dev (CVE-2026-41579, CVE-2026-47766)', 'dev', usual, {}],
  ['/dev, for device files', 'dev', without('dev'), { links: [] }],
  ['/dev, for links', 'dev', without('dev'), { nodes: [] }],
  ['/dev, for a bind mount', 'dev', [...without('dev'), at('bind', '/dev/x', { source: work })], bare],
  ['/sys, for control groups', 'sys', [...without('sys'), at('cgroup', '/sys/fs/cgroup')], bare],
  ['/proc, for a file', 'proc', [...without('proc'), at('bind', '/proc/meminfo', { source: '/dev/null' })], bare],
])('an image in which a link stands for %s is refused', async ([, name, mounts, more], context) => {
  requires(context, 'root', 'busybox')
  const image = imageWithLink(name, 'data')
  const before = tree(image)
  await expect(seenIn(image, mounts, more)).rejects.toMatchObject({ errno: 'ELOOP' })
  expect(tree(image)).toEqual(before)
  // the controls: another link of the image leads a mount where it says, and so does this one without hutch
  symlinkSync('data', `${image}/other`)
  const led = await seenIn(imageWithLink('other', 'data'), [...usual, at('tmpfs', '/other')])
  expect(led.at['/data']?.type).toBe('tmpfs')
  expect(
    inImage(image, `mount -t tmpfs tmpfs /${name}; cd /data; mkdir x; mount -t proc proc x; cat x/mounts`),
  ).toMatch(/^tmpfs \/data tmpfs/m)
})

test("a file is hidden by the host's /dev/null, not by what stands for it in the image (CVE-2025-31133, CVE-2025-62161)", async (context) => {
  requires(context, 'root', 'busybox')
  const image = imageWithLink('dev/null', '../data/bait')
  writeFileSync(`${image}/data/bait`, 'bait\n')
  writeFileSync(`${image}/data/hidden`, 'secret\n')
  const script = 'cat /data/hidden; echo end; echo x > /data/hidden && cat /data/hidden'
  const root = { ...bare, maskedPaths: [{ path: '/data/hidden' }] }
  const found = await seenIn(image, without('dev'), root, { script })
  expect([found.lines, found.at['/data/hidden']?.root]).toEqual([['end'], '/null'])
  expect(inImage(image, 'mount --bind /dev/null /data/hidden; cat /data/hidden')).toBe('bait\n')
  // another device at /dev/null of the host is noticed
  const line = `mount --bind /dev/zero /dev/null; exec ${hutchCommand.join(' ')} run --rootfs ${image} true`
  expect(() => execFileSync('unshare', ['-m', 'sh', '-c', line], { stdio: 'pipe' })).toThrow(/cannot cover.*ENODEV/s)
})

test('a device file is not created over another file of the image, nor through a link there', async (context) => {
  requires(context, 'root', 'busybox')
  for (const to of ['zero', '/data/file', '../../data']) {
    const image = imageWithLink('dev/null', to)
    const root = { nodes: [device('null', 3)], links: [] }
    await expect(seenIn(image, without('dev'), root)).rejects.toMatchObject({ errno: 'EEXIST' })
    const options = { isolate: ['user', 'pid', 'mount', 'ipc'] } as const
    const plain = without('dev', 'sys')
    await expect(seenIn(image, plain, root, { options })).rejects.toMatchObject({ errno: 'ELOOP' })
    expect(readdirSync(`${image}/data`)).toEqual([])
  }
  // the control: in a user namespace a device of the host is mounted over a file, so only the link is what is refused
  const image = imageWithLink('dev/other', 'null')
  writeFileSync(`${image}/dev/null`, '')
  const options = { isolate: ['user', 'pid', 'mount', 'ipc'] } as const
  const found = await seenIn(image, without('dev', 'sys'), { nodes: [device('null', 3)], links: [] }, { options })
  expect(found.at['/dev/null']).toMatchObject({ root: '/null', options: expect.arrayContaining(['nosuid', 'noexec']) })
})

test('settings are written before anything of the container can cover them (CVE-2025-52881)', async (context) => {
  requires(context, 'root', 'busybox')
  const image = makeImage(mkdtempSync(`${work}/image-`))
  const bait = `${work}/bait`
  writeFileSync(bait, '')
  const covers = at('bind', '/proc/sys/kernel/shmmni', { source: bait, flags: nosuid + nodev })
  const options = { isolate: ['pid', 'mount', 'ipc'], sysctls: { 'kernel.shmmni': '77' } } as const
  const proc = at('proc', '/data')
  const script = 'cat /data/sys/kernel/shmmni; echo 1 > /proc/sys/kernel/shmmni'
  const found = await seenIn(image, [...usual, proc, covers], {}, { script, options })
  expect(found.lines).toEqual(['77'])
  // only the container itself has written to the file that covers the setting
  expect(readFileSync(bait, 'utf8')).toBe('1\n')
})

test('unmounts in a container of any propagation do not reach the host', async (context) => {
  requires(context, 'root', 'busybox')
  const host = mkdtempSync(`${work}/host-`)
  const run = (...words: string[]) => execFileSync(words[0]!, words.slice(1))
  run('mount', '-t', 'tmpfs', 'tmpfs', host)
  run('mount', '--make-shared', host)
  try {
    const image = makeImage(`${host}/image`)
    run('mount', '-t', 'tmpfs', 'tmpfs', `${image}/data`)
    symlinkSync('busybox', `${image}/bin/umount`)
    const before = hostMounts()
    for (const propagation of ['shared', 'rshared', 'slave', 'rslave', 'unbindable', 'rprivate'] as const) {
      const bind = at('bind', '/tmp', { source: host, recursive: true, propagation: 'rslave' })
      const script =
        'umount /data && umount /tmp/image/data && umount -l /tmp && mount -t tmpfs tmpfs /etc && echo done'
      const found = await seenIn(
        image,
        [...usual, bind],
        { propagation },
        { script, options: { capAdd: ['SYS_ADMIN'] } },
      )
      expect([found.at['/data']?.type, found.lines]).toEqual(['tmpfs', ['done']])
      expect(hostMounts()).toBe(before)
    }
    // the control: a peer of the host's mount takes it along
    run('unshare', '-m', '--propagation', 'unchanged', 'umount', `${image}/data`)
    expect(hostMounts()).not.toBe(before)
  } finally {
    run('umount', '-R', host)
  }
})

/** A directory and, as its twin, a link to `target`. */
function pair(path: string, target: string): string {
  mkdirSync(path, { recursive: true })
  symlinkSync(target, `${path}.twin`)
  return path
}

test(`${starts} starts while names are swapped: nothing is made or mounted outside (CVE-2021-30465, CVE-2024-45310)`, {
  timeout: 600_000,
}, async (context) => {
  requires(context, 'root', 'busybox')
  const outside = mkdtempSync(`${work}/outside-`)
  for (const name of ['volume/sub', 'deep', 'copy']) mkdirSync(`${outside}/${name}`, { recursive: true })
  writeFileSync(`${outside}/copy/secret`, 'secret\n')
  const image = makeImage(mkdtempSync(`${work}/image-`))
  const shared = mkdtempSync(`${work}/shared-`)
  const up = `${'../'.repeat(12)}${outside.slice(1)}`
  mkdirSync(`${image}/mnt/copy`, { recursive: true })
  const names = [pair(`${image}/dev`, up), pair(`${shared}/sub`, outside), pair(`${image}/mnt`, up)]
  mkdirSync(`${image}/mnt/copy`, { recursive: true })
  const before = { mounts: hostMounts(), files: tree(outside) }
  const attacker = await startSwapper(names)
  try {
    // the control: who goes by names alone is led outside
    const escaped = `${outside}/control`
    for (let tries = 0; tries < 100_000 && !existsSync(escaped); tries++)
      try {
        mkdirSync(`${image}/mnt/control`)
      } catch {
        // exists in the image already
        rmSync(`${image}/mnt/control`, { recursive: true, force: true })
      }
    expect(existsSync(escaped)).toBe(true)
    rmSync(escaped, { recursive: true })
    const mounts = [
      ...usual,
      at('bind', '/mnt/volume', { source: shared, recursive: true }),
      at('tmpfs', '/mnt/volume/sub/tmpfs'),
      at('tmpfs', '/mnt/new/deep/tmpfs'),
      at('tmpfs', '/mnt/copy', { copiesUp: true }),
      at('bind', '/mnt/new/file', { source: `${outside}/copy/secret` }),
    ]
    const ends = { started: 0, refused: 0 }
    for (let i = 0; i < starts; i++)
      await seenIn(image, mounts, {}, { script: 'cat /mnt/copy/secret 2>&- && echo leaked' }).then(
        ({ lines }) => {
          expect(lines).toEqual([])
          ends.started++
        },
        (error: Error & { code?: string }) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(MOUNT|STEP)_REFUSED$/) })
          ends.refused++
        },
      )
    expect({ mounts: hostMounts(), files: tree(outside) }).toEqual(before)
    expect(ends.started).toBeGreaterThan(0)
    expect(ends.refused).toBeGreaterThan(0)
  } finally {
    const end = once(attacker, 'exit')
    attacker.kill('SIGKILL')
    await end
  }
})
