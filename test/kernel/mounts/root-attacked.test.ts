// SPDX-License-Identifier: Apache-2.0
// Directories and links are swapped, as fast as can be, while mounts are made: in the root, and in a volume's source.
// Whatever state each step meets, nothing is made or mounted outside.
// In a VM only in `npm run test:kernels`.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { HutchError, run } from '../../../src/index.ts'
import type { MountOption } from '../../../src/options/mount-options.ts'
import { hostMounts, makeImage, tree, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'
import { startSwapper } from '../../support/swapper.ts'

const starts = Number(process.env.HUTCH_ATTACKS ?? (process.env.VM ? 50 : 500))
const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
/** Its own /proc and /dev are swapped. */
const lying = makeImage(`${work}/lying`)
const outside = `${work}/outside`
const source = `${work}/source`

/** What the image is asked for, while all of its names are swapped. */
const mounts: MountOption[] = [
  { volume: `${source}/tree:/mnt/volume` },
  { tmpfs: '/mnt/new/deep/tmpfs' },
  { overlay: `${source}/tree:/mnt/overlay` },
  { volume: `${source}/tree/file:/mnt/new/file` },
  { tmpfs: '/mnt/volume/sub/tmpfs' },
]

/** A directory and, as its twin, a link to `target`. */
function pair(path: string, target: string): string {
  mkdirSync(path, { recursive: true })
  symlinkSync(target, `${path}.twin`)
  return path
}

const attackers: ChildProcess[] = []

let before: { mounts: string; files: string[] }

beforeEach((context) => requires(context, 'root', 'busybox'))
beforeAll(async () => {
  for (const name of ['volume/sub', 'new/deep', 'overlay', 'etc']) mkdirSync(`${outside}/${name}`, { recursive: true })
  writeFileSync(`${outside}/secret`, 'secret of the host\n')
  writeFileSync(`${outside}/file`, 'another file of the host\n')
  mkdirSync(`${image}/mnt/volume`, { recursive: true })
  mkdirSync(`${image}/mnt/overlay`)
  mkdirSync(`${source}/tree/sub/tmpfs`, { recursive: true })
  writeFileSync(`${source}/tree/file`, '')
  const up = `${'../'.repeat(12)}${outside.slice(1)}`
  const mnt = pair(`${image}/mnt`, outside)
  pair(`${mnt}/overlay`, up)
  const others = [pair(`${source}/tree/sub`, outside), pair(`${lying}/proc`, up), pair(`${lying}/dev`, outside)]
  before = { mounts: hostMounts(), files: tree(outside) }
  // the first stands in the true mnt, and is there before that is swapped: by its path it would swap what is outside
  attackers.push(await startSwapper(['overlay'], mnt))
  attackers.push(await startSwapper([mnt]))
  attackers.push(await startSwapper(others))
})
afterAll(async () => {
  const ends = attackers.map((one) => (one.exitCode === null ? once(one, 'exit') : undefined))
  for (const one of attackers) one.kill('SIGKILL')
  await Promise.all(ends)
  remove()
})

test(`${starts} starts under attack: nothing is made or mounted outside`, { timeout: 600_000 }, async () => {
  // the control: who goes by names alone is led outside
  const escaped = `${outside}/control`
  for (let tries = 0; tries < 10_000 && !existsSync(escaped); tries++)
    try {
      mkdirSync(`${image}/mnt/control`, { recursive: true })
    } catch {
      // swapped between two of its steps
    }
  expect(existsSync(escaped)).toBe(true)
  rmdirSync(escaped)

  const told: { [word: string]: number } = {}
  const note = (word: string) => {
    told[word] = (told[word] ?? 0) + 1
  }
  for (let start = 0; start < starts; start++) {
    // each kind alone as well: one that fails early would keep the others from being tried
    const asked = start % 3 === 0 ? mounts : [mounts[start % mounts.length]!]
    const script = 'cat /proc/self/mountinfo /mnt/secret /etc/secret 2>/dev/null; echo done'
    try {
      const { stdout } = await run(
        'sh',
        ['-c', script],
        start % 4 === 3 ? { rootfs: lying } : { rootfs: image, mounts: asked },
      )
      expect(stdout).not.toContain('secret of the host')
      // what is mounted, not where: a mount point of this name may have been made inside, where the link leads to nothing
      for (const line of stdout!.split('\n')) expect(line.split(' ')[3] ?? '').not.toMatch(/\/outside(\/|$)/)
      note('started')
    } catch (error) {
      if (!HutchError.is(error)) throw error
      // a state that cannot be mounted: said so, by the step that met it
      expect(error.code).toBe('MOUNT_REFUSED')
      note(error.errno ?? '')
    }
  }
  for (const attacker of attackers) expect(attacker.exitCode).toBe(null)
  expect({ mounts: hostMounts(), files: tree(outside) }).toEqual(before)
  // both must have happened, else this tests nothing
  expect(told.started ?? 0).toBeGreaterThan(0)
  expect(starts - (told.started ?? 0)).toBeGreaterThan(0)
  if (process.env.HUTCH_ATTACKS) console.log(told)
})
