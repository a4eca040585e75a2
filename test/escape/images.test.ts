// SPDX-License-Identifier: Apache-2.0
// Images and directories that lie: what hutch mounts, opens or enters in them must not be led out, at the start.
// The same with links that are swapped meanwhile is in test/kernel/mounts/root-attacked.test.ts.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { HutchError, type RunOptions, run } from '../../src/index.ts'
import { collect } from '../cli/hutch.ts'
import { hutchCommand } from '../support/command.ts'
import { hostMounts, makeImage, tree, workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'

const { path: work, remove } = workplace()
const outside = `${work}/outside`
const secret = `${outside}/secret`
let before: { mounts: string; files: string[] }

beforeEach((context) => requires(context, 'root', 'busybox'))
beforeAll(() => {
  mkdirSync(outside)
  writeFileSync(secret, 'secret of the host\n')
  before = { mounts: hostMounts(), files: tree(outside) }
})
afterAll(remove)

const up = '../'.repeat(16)
let serial = 0

/** An image in which these names are links. */
function lyingImage(links: { [name: string]: string }): string {
  const image = makeImage(`${work}/image-${++serial}`)
  for (const [name, target] of Object.entries(links)) {
    rmSync(`${image}/${name}`, { recursive: true, force: true })
    symlinkSync(target, `${image}/${name}`)
  }
  return image
}

const look =
  'cat /proc/1/mountinfo /dev/null /dev/console /data/secret /dev/secret /proc/secret secret 2>/dev/null; echo done'

/** Started or refused: nothing of the host is seen inside or made outside. */
async function tryImage(options: RunOptions): Promise<'started' | string> {
  try {
    const { stdout } = await run('sh', ['-c', look], { isolate: 'all', ...options })
    expect(stdout).not.toContain('secret of the host')
    // what is mounted, not where: a mount point of this name may have been made inside, where the link leads to nothing
    for (const line of stdout!.split('\n')) expect(line.split(' ')[3] ?? '').not.toContain(outside)
    return 'started'
  } catch (error) {
    if (!HutchError.is(error)) throw error
    return error.code
  } finally {
    expect({ mounts: hostMounts(), files: tree(outside) }).toEqual(before)
    expect(readFileSync(secret, 'utf8')).toBe('secret of the host\n')
  }
}

/** How each ended. */
const told = new Map<string, string>()

const lies: [what: string, links: { [name: string]: string }, options?: RunOptions][] = [
  ['/proc is a link outside (CVE-2019-19921, CVE-2023-27561)', { proc: outside }],
  ['/proc is a link up and out', { proc: `${up}${outside}` }],
  ['/proc is a link to another directory of the image', { proc: '/data' }],
  ['/sys is a link outside', { sys: outside }],
  ['/dev is a link outside', { dev: outside }],
  ['/dev/null is a file of the host, to be what hides others (CVE-2025-31133)', { 'dev/null': secret }],
  ['/dev/console is a file of the host (CVE-2025-52565)', { 'dev/console': secret }],
  ['/dev/pts is a directory of the host', { 'dev/pts': outside }],
  ['a volume is put on a link outside (CVE-2021-30465)', { data: outside }, { mounts: [{ volume: '/usr:/data/usr' }] }],
  ['a tmpfs is put on a link up and out', { data: `${up}${outside}` }, { mounts: [{ tmpfs: '/data/made' }] }],
  ['a mount point is reached by /proc/self/fd', { data: '/proc/self/fd/0' }, { mounts: [{ tmpfs: '/data/made' }] }],
  ['a mount point is reached by /proc/1/root', { data: '/proc/1/root' }, { mounts: [{ tmpfs: '/data/made' }] }],
  ['the working directory is a link outside', { data: outside }, { workdir: '/data' }],
  ['the working directory is up and out', {}, { workdir: `/${up}${outside}` }],
]

test.for(lies)('%s', async ([what, links, options]) => {
  told.set(what, await tryImage({ rootfs: lyingImage(links), ...options }))
})

test('some of them start and are led inside, some are refused', () => {
  const ends = new Set(told.values())
  expect([...ends].sort()).toEqual(['MOUNT_REFUSED', 'STEP_REFUSED', 'started'])
})

test('control: who goes by names is led outside', () => {
  const image = lyingImage({ proc: outside, data: `${up}${outside}` })
  for (const name of ['proc', 'data']) expect(existsSync(`${image}/${name}/secret`)).toBe(true)
})

test('the working directory is a descriptor that was left open (CVE-2024-21626)', async () => {
  const image = makeImage(`${work}/image-${++serial}`)
  const left = openSync(outside, 'r')
  try {
    // the control: a program that enters it as a working directory is outside
    const led = spawnSync('cat', ['secret'], { cwd: `/proc/${process.pid}/fd/${left}`, encoding: 'utf8' })
    expect(led.stdout).toBe('secret of the host\n')
    for (let fd = 3; fd <= left; fd++) await tryImage({ rootfs: image, workdir: `/proc/self/fd/${fd}` })
  } finally {
    closeSync(left)
  }
  // one that hutch itself was given, and that is not close-on-exec
  const leaky =
    'outside=$1; shift; exec 9<"$outside"; exec "$@" sh -c "cat secret /proc/self/fd/9/secret; pwd; echo done"'
  for (const workdir of ['/proc/self/fd/9', '/']) {
    const args = [...hutchCommand, 'run', '--quiet', '--rootfs', image, '--workdir', workdir, '--']
    const { stdout } = await collect('sh', ['-c', leaky, 'sh', outside, ...args])
    expect(stdout).not.toContain('secret of the host')
    if (workdir === '/') expect(stdout).toBe('/\ndone\n')
  }
})

test('hutch is started again as the command, by /proc/self/exe (CVE-2019-5736)', async () => {
  const image = makeImage(`${work}/image-${++serial}`)
  symlinkSync('/proc/self/exe', `${image}/bin/self`)
  const init = readFileSync('build/hutch-init')
  // what it is then makes no difference: nothing of it can be written
  for (const command of ['/proc/self/exe', '/bin/self'])
    await run(command, ['-c', 'true'], { rootfs: image, isolate: 'all', timeout: 5000 }).catch((error) => {
      if (!HutchError.is(error)) throw error
    })
  expect(readFileSync('build/hutch-init')).toEqual(init)
  expect({ mounts: hostMounts(), files: tree(outside) }).toEqual(before)
})
