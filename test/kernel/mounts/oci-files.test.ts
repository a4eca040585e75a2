// SPDX-License-Identifier: Apache-2.0
// File systems of an OCI container that show files from elsewhere: copies of what they cover, overlays, control groups, mapped ids.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statfsSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import type { Mount } from '../../../src/mounts/root.ts'
import { mountAttributes } from '../../../src/ops/mount-flags.ts'
import type { Spec } from '../../../src/options/spec.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { at, seenIn, usual } from '../../support/listed.ts'
import { requires } from '../../support/requires.ts'

/** OVERLAYFS_SUPER_MAGIC of statfs(2): an overlay is no upper layer, and its ids cannot be mapped. */
const overlayType = 0x794c7630
const isOnOverlay = () => statfsSync(work).type === overlayType

const { path: work, remove } = workplace()
afterAll(remove)
const { ro, nosuid, nodev, noexec } = mountAttributes
const newImage = () => makeImage(mkdtempSync(`${work}/image-`))

test('a tmpfs copies what it covers: modes, owners, times, links and special files; without mode= it has the mode beneath', async (context) => {
  requires(context, 'root', 'busybox')
  const image = newImage()
  const from = `${image}/data`
  mkdirSync(`${from}/sub/deep`, { recursive: true })
  writeFileSync(`${from}/sub/file`, 'text\n')
  chownSync(`${from}/sub/file`, 12, 34)
  chmodSync(`${from}/sub/file`, 0o4750)
  symlinkSync('/etc/outside', `${from}/link`)
  execFileSync('mkfifo', ['-m', '640', `${from}/fifo`])
  execFileSync('mknod', ['-m', '600', `${from}/zero`, 'c', '1', '5'])
  chmodSync(`${from}/sub`, 0o1711)
  chmodSync(from, 0o1775)
  chownSync(from, 5, 6)
  const old = new Date('2001-02-03T04:05:06Z')
  for (const name of ['sub/file', 'sub', '']) utimesSync(`${from}/${name}`, old, old)
  lutimesSync(`${from}/link`, old, old)
  const list = (path: string) =>
    `find ${path} -exec stat -c '%n %f %u %g %Y %t:%T' {} + | sort; readlink ${path}/link; cat ${path}/sub/file`
  for (const tool of ['find', 'stat', 'sort']) symlinkSync('busybox', `${image}/bin/${tool}`)
  const tmpfs = at('tmpfs', '/data', { data: ['size=1m'], copiesUp: true })
  const copied = await seenIn(image, [...usual, tmpfs], {}, { script: list('/data') })
  const control = await seenIn(image, usual, {}, { script: list('/data') })
  expect(copied.at['/data']?.type).toBe('tmpfs')
  expect(copied.lines).toEqual(control.lines)
  expect(copied.lines).toHaveLength(9)
  const script = 'cd /; stat -c %a data; stat -c %a tmp; stat -c %a new; ls data'
  const plain = await seenIn(
    image,
    [...usual, at('tmpfs', '/data'), at('tmpfs', '/tmp', { data: ['mode=700'] }), at('tmpfs', '/new')],
    {},
    { script },
  )
  expect(plain.lines).toEqual(['1775', '700', '1777'])
  // a full tmpfs is an error, not half a copy
  writeFileSync(`${from}/big`, Buffer.alloc(2 << 20))
  await expect(seenIn(image, [...usual, tmpfs])).rejects.toMatchObject({ errno: 'ENOSPC' })
})

test('options of file systems may be longer than fsconfig(2) takes: an overlay with long paths', async (context) => {
  requires(context, 'root', 'busybox')
  if (isOnOverlay()) context.skip('needs a directory that is not on an overlay')
  const long = (name: string) => `${work}/${name.repeat(100)}/${'d'.repeat(200)}`
  const [lower, other, upper, workdir] = ['a', 'b', 'c', 'e'].map(long) as [string, string, string, string]
  for (const path of [lower, other, upper, workdir]) mkdirSync(path, { recursive: true })
  writeFileSync(`${lower}/top`, 'lower\n')
  writeFileSync(`${other}/bottom`, 'other\n')
  const data = [`lowerdir=${lower}:${other}`, `upperdir=${upper}`, `workdir=${workdir}`]
  const overlay = at('overlay', '/data/new', { source: 'overlay', data, flags: nosuid + nodev, propagation: 'shared' })
  const script = 'cat /data/new/bottom /data/new/top; echo changed > /data/new/top; ls /data/new'
  const found = await seenIn(newImage(), [...usual, overlay, at('tmpfs', '/data/new/sub')], {}, { script })
  expect(found.lines).toEqual(['other', 'lower', 'bottom', 'sub', 'top'])
  expect(found.at['/data/new']).toMatchObject({
    type: 'overlay',
    options: ['rw', 'nosuid', 'nodev', 'relatime'],
    propagation: 'shared:N',
  })
  expect(found.at['/data/new/sub']?.type).toBe('tmpfs')
  expect(readdirSync(upper).sort()).toEqual(['sub', 'top'])
  // the same words without the limit go through fsconfig(2)
  for (const name of ['l', 'm']) mkdirSync(`${work}/${name}`)
  writeFileSync(`${work}/l/x`, '')
  const short = at('overlay', '/data', { source: 'o', data: [`lowerdir=${work}/l:${work}/m`, 'xino=off'] })
  expect((await seenIn(newImage(), [...usual, short], {}, { script: 'ls /data/x' })).lines).toEqual(['/data/x'])
})

test('a mount of control groups shows those of the container, writable only if they are its own', async (context) => {
  requires(context, 'root', 'busybox')
  const { layout } = readHost()
  const cgroup = at('cgroup', '/sys/fs/cgroup', { source: 'cgroup' })
  const sealed = { ...cgroup, flags: ro + nosuid + nodev + noexec }
  const script =
    'cd /sys/fs/cgroup; ls -d pids unified cgroup.procs 2>&-; cd pids 2>&-; cat pids.max; mkdir made 2>&- && rmdir made && echo writes'
  const [all, none] = [
    ['pid', 'mount', 'ipc', 'cgroup'],
    ['pid', 'mount', 'ipc'],
  ] as const
  const show = async (mount: Mount, isolate: typeof all | typeof none, change: Partial<Spec> = {}) => {
    const options = { isolate, limits: { pids: 23 } }
    const { list, lines } = await seenIn(newImage(), [...usual, mount], {}, { script, options, change })
    const at = layout === 'v2' ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids'
    return {
      lines,
      mount: list.find(({ target }) => target === at),
      top: list.find(({ target }) => target === cgroup.target),
    }
  }
  const names = { v2: ['cgroup.procs'], hybrid: ['pids', 'unified'], v1: ['pids'], none: [] }[layout]
  const own = await show(cgroup, all)
  expect(own.lines).toEqual([...names, '23', 'writes'])
  expect(own.mount).toMatchObject({ root: '/', options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'] })
  const closed = await show(sealed, all)
  expect(closed.lines).toEqual([...names, '23'])
  expect([closed.mount?.options[0], closed.top?.options[0]]).toEqual(['ro', 'ro'])
  // without a namespace, only the container's own part of the tree is there
  const plain = await show(cgroup, none)
  expect([plain.lines, plain.mount?.root]).toEqual([own.lines, expect.stringMatching(/hutch-/)])
})

test("a mount's ids are mapped as its own maps say, or as those of the user namespace", async (context) => {
  requires(context, 'root', 'busybox')
  if (isOnOverlay()) context.skip('needs a directory that is not on an overlay')
  const source = mkdtempSync(`${work}/mapped-`)
  const sub = `${source}/sub`
  mkdirSync(sub)
  chmodSync(source, 0o755)
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', sub])
  try {
    for (const name of ['file', 'sub/file']) {
      writeFileSync(`${source}/${name}`, '')
      chownSync(`${source}/${name}`, 1005, 1006)
    }
    const map = (outside: number, mapsBelow = false) => ({
      maps: {
        users: [{ inside: 1000, outside, count: 10 }],
        groups: [{ inside: 1000, outside: outside + 100, count: 10 }],
      },
      mapsBelow,
    })
    const bind = (target: string, more: Partial<Mount>) =>
      at('bind', target, { source, recursive: true, top: true, flags: nodev, idmap: true, ...more })
    const script = 'for x in /[a-d]; do stat -c "%u %g %n" $x/file $x/sub/file 2>&-; done'
    const image = newImage()
    chmodSync(image, 0o755)
    symlinkSync('busybox', `${image}/bin/stat`)
    const mounts = [bind('/a', map(0)), bind('/b', map(0, true)), bind('/c', { ...map(500, true), flags: ro })]
    const found = await seenIn(image, [...usual, ...mounts], {}, { script })
    expect(found.lines).toEqual([
      '5 106 /a/file',
      '1005 1006 /a/sub/file',
      '5 106 /b/file',
      '5 106 /b/sub/file',
      '505 606 /c/file',
      '505 606 /c/sub/file',
    ])
    expect(found.at['/c']?.options).toEqual(expect.arrayContaining(['ro', 'idmapped']))
    // the ids of the container: 1005 on disk is 1005 inside, though it is 101005 outside
    const options = {
      isolate: ['user', 'pid', 'mount', 'ipc'],
      mapUsers: '0:100000:2000',
      mapGroups: '0:100000:2000',
    } as const
    execFileSync('chmod', ['755', work])
    const inner = usual.filter(({ type }) => type !== 'sysfs')
    const inside = await seenIn(
      image,
      [...inner, bind('/a', {}), bind('/b', { idmap: undefined! })],
      {},
      { script, options },
    )
    expect(inside.lines.slice(0, 4)).toEqual([
      '1005 1006 /a/file',
      '1005 1006 /a/sub/file',
      '65534 65534 /b/file',
      '65534 65534 /b/sub/file',
    ])
    await expect(seenIn(image, [...usual, bind('/a', {})])).rejects.toMatchObject({ code: 'OPTION_CONFLICT' })
    // procfs has no support for mapped ids
    const proc = bind('/a', { source: '/proc', ...map(0) })
    await expect(seenIn(image, [...usual, proc])).rejects.toMatchObject({ code: 'MOUNT_REFUSED', errno: 'EINVAL' })
  } finally {
    execFileSync('umount', [sub])
  }
})
