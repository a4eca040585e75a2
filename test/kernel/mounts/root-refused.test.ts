// SPDX-License-Identifier: Apache-2.0
// Every way in which a mount is refused: the error names option, path, errno and remedy, and nothing is left.
// In a VM only in `npm run test:kernels`.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { run } from '../../../src/index.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { hutch } from '../../cli/hutch.ts'
import { hostMounts, makeImage, tree, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
let before: string

beforeAll(() => {
  mkdirSync(`${work}/volume`)
  writeFileSync(`${work}/file`, '')
  symlinkSync('loop', `${image}/loop`)
  before = hostMounts()
})
beforeEach((context) => requires(context, 'root'))
afterAll(remove)

const cases: [title: string, options: RunOptions, errno: string, path: string, says: string][] = [
  ['no such root', { rootfs: `${work}/none` }, 'ENOENT', `${work}/none`, 'requested by rootfs'],
  ['a file as root', { rootfs: `${work}/file` }, 'ENOTDIR', `${work}/file`, 'is not a directory'],
  [
    'no such volume',
    { mounts: [{ volume: `${work}/none:/data` }] },
    'ENOENT',
    `${work}/none`,
    'requested by mounts[0].volume',
  ],
  ['a link that has no end', { mounts: [{ tmpfs: '/loop/x' }] }, 'ELOOP', '/loop/x', 'symbolic link'],
  ['a file on the way', { mounts: [{ tmpfs: '/bin/file/x' }] }, 'ENOTDIR', '/bin/file/x', 'not a directory'],
  [
    'a directory onto a file',
    { mounts: [{ volume: `${work}/volume:/bin/file` }] },
    'ENOTDIR',
    '/bin/file',
    'is a directory, and /bin/file is a file',
  ],
  [
    'a file onto a directory',
    { mounts: [{ volume: `${work}/file:/data` }] },
    'EISDIR',
    '/data',
    'is a file, and /data is a directory',
  ],
  [
    'a mount point that a read-only root lacks',
    { readOnly: true, mounts: [{ volume: `${work}/volume:/new` }] },
    'EROFS',
    '/new',
    'cannot be made, as / is read-only',
  ],
  [
    'a mount point in a volume, where it would stay on the host',
    { mounts: [{ volume: `${work}/volume:/data` }, { tmpfs: '/data/new' }] },
    'ENOENT',
    '/data/new',
    'requested by mounts[1].tmpfs',
  ],
  ['no such layer', { mounts: [{ overlay: `${work}/none:/data` }] }, 'ENOENT', `${work}/none`, 'is not there'],
  [
    'a layer that is a file',
    { mounts: [{ overlay: `${work}/file:/data` }] },
    'ENOTDIR',
    `${work}/file`,
    'is not a directory',
  ],
  [
    'no such upper layer',
    { mounts: [{ overlay: `${work}/volume:/data:upper=${work}/none,work=${work}/none` }] },
    'ENOENT',
    `${work}/volume`,
    'upper or work does not exist',
  ],
  [
    'layers that do not go together',
    { mounts: [{ overlay: `${work}/volume:/data:upper=${image}/data,work=/proc` }] },
    'EINVAL',
    `${work}/volume`,
    'one file system',
  ],
]

test.each(cases)('%s', async (_, options, errno, path, says) => {
  writeFileSync(`${image}/bin/file`, '')
  const files = tree(work)
  const error = await run('true', [], { rootfs: image, ...options }).catch((reason) => reason)
  expect(error).toMatchObject({ code: 'MOUNT_REFUSED', errno, path, remedy: expect.any(String) })
  expect(error.message).toContain(says)
  expect(error.message).toMatch(new RegExp(`^cannot .*\\(${errno}\\)\\n {2}requested by `))
  expect(hostMounts()).toBe(before)
  expect(tree(work)).toEqual(files)
})

test('on the command line the flag is named', async () => {
  const { status, stderr } = await hutch(['run', '--rootfs', image, '--volume', `${work}/none:/data`, '--', 'true'])
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: `hutch: cannot mount ${work}/none at /data: ${work}/none is not there (ENOENT)
  requested by --volume
  remedy: create it, or give another in --volume
`,
  })
})
