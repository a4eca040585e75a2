// SPDX-License-Identifier: Apache-2.0
// Overlays in a user namespace: directories of a lower layer can be removed and renamed, through each interface.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { run } from '../../../src/index.ts'
import { collect } from '../../cli/hutch.ts'
import { hutchAs, runAs } from '../../support/anyone.ts'
import { requires } from '../../support/requires.ts'

const user = 61_234
const work = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
const lower = `${work}/lower`
for (const directory of ['d/e', 'f/g']) {
  mkdirSync(`${lower}/${directory}`, { recursive: true })
  writeFileSync(`${lower}/${directory}/file`, 'x')
}
chmodSync(work, 0o777)
await collect('chown', ['-R', `${user}:${user}`, work])

beforeEach((context) => requires(context, 'root', 'setpriv(1)', 'user attributes on tmpfs'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

const script = 'rm -rf /mnt/d && mv /mnt/f /mnt/h && cd /mnt && find . | sort | xargs'
const changed = '. ./h ./h/g ./h/g/file\n'
const shell = ['--', 'sh', '-c', script]
const bare = ['--limit', 'none', '--read-only', '--overlay', `${lower}:/mnt`]

test('without userxattr, the kernel refuses to remove a directory of a lower layer', async (context) => {
  requires(context, 'unshare(1)')
  const mount = `mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && mkdir /tmp/o-$$ && mount -t overlay o -o lowerdir=${lower},upperdir=/mnt/u,workdir=/mnt/w /tmp/o-$$`
  const result = await collect('setpriv', [
    ...['--reuid', String(user), '--regid', String(user), '--clear-groups'],
    ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
    `${mount} && rm -rf /tmp/o-$$/d; status=$?; umount /tmp/o-$$; rmdir /tmp/o-$$; exit $status`,
  ])
  expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining('Input/output error') })
})

test('hutch run as a user', async () => {
  expect(await runAs(user, [...bare, ...shell])).toMatchObject({ stdout: changed, stderr: '', status: 0 })
})

test('a sandbox as a user', async () => {
  const options = ['--limit', 'none', '--sandbox', '--overlay', `${lower}:/mnt`]
  expect(await runAs(user, [...options, ...shell])).toMatchObject({ stdout: changed, stderr: '', status: 0 })
})

test('an upper layer that is kept', async () => {
  mkdirSync(`${work}/kept`)
  // overlayfs takes no upper layer on an overlay, such as a VM's root
  const prepare = `mount -t tmpfs -o mode=777 tmpfs ${work}/kept && cd ${work}/kept && mkdir -m 777 up work && exec "$@"`
  const kept = `${lower}:/mnt:upper=${work}/kept/up,work=${work}/kept/work`
  const before = ['unshare', '--mount', 'sh', '-c', prepare, 'sh']
  const result = await runAs(user, ['--limit', 'none', '--read-only', '--overlay', kept, ...shell], before)
  expect(result).toMatchObject({ stdout: changed, stderr: '', status: 0 })
})

test('a compiled file', async () => {
  const compiled = await hutchAs(user, ['compile', '--output', `${work}/job`, ...bare, ...shell])
  expect(await compiled.ended).toMatchObject({ stderr: '', status: 0 })
  const result = await collect('setpriv', [
    ...['--reuid', String(user), '--regid', String(user), '--clear-groups', `${work}/job`],
  ])
  expect(result).toMatchObject({ stdout: changed, stderr: '', status: 0 })
})

test('the library, as root with ids mapped away', async () => {
  const result = await run('sh', ['-c', script], {
    mounts: [{ overlay: `${lower}:/mnt` }],
    readOnly: true,
    mapUsers: `0:${user}:1`,
  })
  expect(result).toMatchObject({ stdout: changed, stderr: '', exitCode: 0 })
})
