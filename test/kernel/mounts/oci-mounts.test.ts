// SPDX-License-Identifier: Apache-2.0
// The mounts of an OCI container on the real kernel, as the container sees them in /proc/self/mountinfo.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import type { Mount, MountPropagation } from '../../../src/mounts/root.ts'
import { mountAttributes } from '../../../src/ops/mount-flags.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { at, device, seenIn, usual } from '../../support/listed.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
afterAll(remove)
const { ro, nosuid, nodev, noexec, noatime, strictatime, nodiratime, nosymfollow } = mountAttributes
const relatime = { clears: 0x70 }

const newImage = () => makeImage(mkdtempSync(`${work}/image-`))

/** Returns what a container with these mounts sees, in a new image unless one is given. */
const seen = (
  mounts: Mount[],
  more?: Parameters<typeof seenIn>[2],
  { image = newImage(), ...rest }: { image?: string; script?: string; options?: RunOptions } = {},
) => seenIn(image, mounts, more, rest)

test('the mounts, devices and links of `runc spec` are in the container as that list says', async (context) => {
  requires(context, 'root', 'busybox')
  const { list, lines } = await seen(
    usual,
    {},
    {
      script:
        'cd /dev; for x in null tty; do [ -c $x ] && echo $x; done; readlink fd; readlink ptmx; echo x > null && cat null; ls -l null',
    },
  )
  expect(list.map(({ target, type, source, options }) => `${target} ${type} ${source} ${options.join()}`)).toEqual([
    expect.stringMatching(/^\/ /),
    '/proc proc proc rw,relatime',
    '/dev tmpfs tmpfs rw,nosuid',
    '/dev/pts devpts devpts rw,nosuid,noexec,relatime',
    '/dev/shm tmpfs shm rw,nosuid,nodev,noexec,relatime',
    '/dev/mqueue mqueue mqueue rw,nosuid,nodev,noexec,relatime',
    '/sys sysfs sysfs ro,nosuid,nodev,noexec,relatime',
  ])
  expect(lines.slice(0, -1)).toEqual(['null', 'tty', '/proc/self/fd', 'pts/ptmx'])
  expect(lines.at(-1)).toMatch(/^crw-rw-rw- .* 1, +3 /)
})

/** Runs `body` while a tmpfs, with another one at sub/ in it, is mounted in this process's namespace. */
async function withTree(options: string, body: (tree: string) => Promise<void>): Promise<void> {
  const tree = mkdtempSync(`${work}/tree-`)
  execFileSync('mount', ['-t', 'tmpfs', 'tree', tree])
  try {
    mkdirSync(`${tree}/sub`)
    execFileSync('mount', ['-t', 'tmpfs', 'sub', `${tree}/sub`])
    execFileSync('mount', ['-o', `remount,bind,${options}`, tree])
    await body(tree)
  } finally {
    execFileSync('umount', ['-R', tree])
  }
}

test('plain options change the top mount alone, recursive ones the whole tree; each kind of access times replaces the others', async (context) => {
  requires(context, 'root', 'busybox')
  await withTree('rw,nosuid,noatime', async (tree) => {
    const bind = (name: string, more: Partial<Mount>) =>
      at('bind', `/${name}`, { source: tree, recursive: true, top: true, flags: 0, ...more })
    const below = (sets: number, clears = 0) => ({ below: { sets, clears } })
    const found = await seen([
      ...usual,
      bind('plain', {}),
      bind('ro', { flags: ro + nodev }),
      bind('rro', { ...below(ro + noexec) }),
      bind('mixed', { flags: ro, ...below(nodev) }),
      bind('suid', { clears: nosuid }),
      bind('rrw', { flags: ro, ...below(0, ro) }),
      bind('relatime', { ...relatime }),
      bind('strict', { flags: strictatime + nodiratime }),
      bind('rnoatime', { ...below(noatime, 0x70) }),
      bind('nosymfollow', { flags: nosymfollow }),
    ])
    const options = (name: string) => [`/${name}`, `/${name}/sub`].map((path) => found.at[path]?.options.join())
    const top = 'nosuid,noatime'
    expect(
      Object.fromEntries(
        ['plain', 'ro', 'rro', 'mixed', 'suid', 'rrw', 'relatime', 'strict', 'rnoatime', 'nosymfollow'].map((name) => [
          name,
          options(name),
        ]),
      ),
    ).toEqual({
      plain: [`rw,${top}`, 'rw,relatime'],
      ro: ['ro,nosuid,nodev,noatime', 'rw,relatime'],
      rro: ['ro,nosuid,noexec,noatime', 'ro,noexec,relatime'],
      mixed: ['ro,nosuid,nodev,noatime', 'rw,nodev,relatime'],
      suid: ['rw,noatime', 'rw,relatime'],
      rrw: [`rw,${top}`, 'rw,relatime'],
      relatime: ['rw,nosuid,relatime', 'rw,relatime'],
      strict: ['rw,nosuid,nodiratime', 'rw,relatime'],
      rnoatime: [`rw,${top}`, 'rw,noatime'],
      nosymfollow: [`rw,${top},nosymfollow`, 'rw,relatime'],
    })
  })
})

test('in a user namespace, flags that the source has locked are kept; what the kernel refuses for a whole tree is an error', async (context) => {
  requires(context, 'root', 'busybox')
  await withTree('ro,nosuid,noatime', async (tree) => {
    const userns = { options: { isolate: ['user', 'pid', 'mount', 'ipc'] } } as const
    const bind = (more: Partial<Mount>) =>
      at('bind', '/a', { source: tree, recursive: true, top: true, flags: 0, ...more })
    const mounts = usual.filter(({ type }) => type !== 'sysfs' && type !== 'devpts')
    const found = await seen([...mounts, bind({ flags: noexec, clears: ro + nosuid })], {}, userns)
    expect(found.at['/a']?.options.join()).toBe('ro,nosuid,noexec,noatime')
    const refused = seen([...mounts, bind({ below: { sets: 0, clears: ro } })], {}, userns)
    await expect(refused).rejects.toMatchObject({ code: 'MOUNT_REFUSED', errno: 'EPERM' })
    // the control: outside of a user namespace, nothing is locked
    const control = await seen([...usual, bind({ flags: noexec, clears: nosuid, below: { sets: 0, clears: ro } })])
    expect(control.at['/a']?.options.join()).toBe('rw,noexec,noatime')
  })
})

test('missing targets are created: directories, and files for files, also in what is mounted', async (context) => {
  requires(context, 'root', 'busybox')
  const [volume, other] = [mkdtempSync(`${work}/volume-`), mkdtempSync(`${work}/volume-`)]
  writeFileSync(`${other}/kept`, '')
  writeFileSync(`${work}/file`, 'text\n')
  const bind = (target: string, source: string) => at('bind', target, { source, top: true, recursive: true })
  const found = await seen(
    [
      ...usual,
      bind('/a/b/file', `${work}/file`),
      bind('/c', volume),
      bind('/c/d/e', other),
      bind('/c/f', `${work}/file`),
    ],
    {},
    { script: 'cat /a/b/file /c/f; ls /c /c/d/e' },
  )
  expect(found.lines).toEqual(['text', 'text', '/c:', 'd', 'f', '', '/c/d/e:', 'kept'])
})

test('a mount can be changed later; the root becomes read-only last, and only itself', async (context) => {
  requires(context, 'root', 'busybox')
  const found = await seen(
    [
      ...usual,
      at('tmpfs', '/a', { flags: nosuid }),
      at('', '/a', { flags: ro + noexec, clears: nosuid, top: true, remounts: true }),
      at('', '/dev/shm', { flags: 0, clears: noexec, top: true, remounts: true, propagation: 'shared' }),
    ],
    { readOnlyLast: true },
    { script: 'touch /x 2>&1; touch /dev/shm/x && echo written' },
  )
  expect(found.at['/a']?.options.join()).toBe('ro,noexec,relatime')
  expect(found.at['/dev/shm']).toMatchObject({
    options: ['rw', 'nosuid', 'nodev', 'relatime'],
    propagation: 'shared:N',
  })
  expect(found.at['/']?.options.join()).toBe('ro,relatime')
  expect(found.lines).toEqual(['touch: /x: Read-only file system', 'written'])
  const missing = seen([...usual, at('', '/etc', { flags: ro, top: true, remounts: true })])
  await expect(missing).rejects.toMatchObject({ code: 'MOUNT_REFUSED', errno: 'EINVAL' })
})

test.each([
  ['shared', 'shared:N', ''],
  ['rshared', 'shared:N', 'shared:N'],
  ['slave', '', ''],
  ['rslave', '', ''],
  ['unbindable', 'unbindable', ''],
  ['runbindable', 'unbindable', 'unbindable'],
  ['private', '', ''],
  ['rprivate', '', ''],
] as const)('a root that is %s', async (propagation, root, proc) => {
  const found = await seen(usual, { propagation })
  expect([found.at['/']?.propagation, found.at['/proc']?.propagation]).toEqual([root, proc])
})

test('device files: an existing one is kept, another file in its place is refused, never through a link', async (context) => {
  requires(context, 'root', 'busybox')
  const plain = usual.filter(({ target }) => !target.startsWith('/dev'))
  const image = newImage()
  const only = (more: object) => ({ nodes: [{ ...device('x/y', 3), ...more }], links: [] })
  const node = only({ mode: 0o640, uid: 12, gid: 34 })
  const script = 'ls -ln /dev/x'
  const first = await seen(plain, node, { image, script })
  expect(first.lines.at(-1)).toMatch(/^crw-r----- .* 12 +34 +1, +3 .* y$/)
  // the existing file is the same device, and its owner stays
  expect((await seen(plain, only({ uid: 7 }), { image, script })).lines.at(-1)).toBe(first.lines.at(-1))
  const other = seen(plain, only({ minor: 5 }), { image })
  await expect(other).rejects.toMatchObject({ errno: 'EEXIST' })
  const pipe = await seen(plain, { nodes: [{ ...device('fifo', 0), type: 'p' }] }, { script: 'ls -l /dev/fifo' })
  expect(pipe.lines[0]).toMatch(/^prw-rw-rw-/)
})

test('a shared mount of a shared root is a peer of the host; in another root it has a group of its own', async (context) => {
  requires(context, 'root', 'busybox')
  await withTree('rw', async (tree) => {
    execFileSync('mount', ['--make-rshared', tree])
    const bind = at('bind', '/data', { source: tree, recursive: true, top: true, propagation: 'rshared' })
    const slave = at('bind', '/tmp', { source: tree, recursive: true, top: true, propagation: 'rslave' })
    const script = 'mkdir -p /data/sub/new && mount -t tmpfs made /data/sub/new && grep -c made /proc/self/mountinfo'
    const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(' made ')
    const run = async (propagation: MountPropagation) => {
      const options = { capAdd: ['SYS_ADMIN'] }
      return (await seen([...usual, bind, slave], { propagation }, { script, options })).lines.at(-1)
    }
    // at /data, and at /tmp, which receives what the host mounts
    expect(await run('rshared')).toBe('2')
    expect(mounted()).toBe(true)
    execFileSync('umount', [`${tree}/sub/new`])
    for (const propagation of ['rslave', 'rprivate'] as const) {
      expect(await run(propagation)).toBe('1')
      expect(mounted()).toBe(false)
    }
  })
})
