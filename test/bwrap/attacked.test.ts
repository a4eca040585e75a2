// SPDX-License-Identifier: Apache-2.0
// Directories and links of a writable mount are swapped, as fast as can be, while things are made in it: bubblewrap makes what is
// missing wherever it may write, and none of it may come to be outside (CVE-2026-87766).
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { parseBwrap } from '../../src/dropin/bubblewrap/options.ts'
import { type BwrapFacts, compileBwrap, planBwrap } from '../../src/dropin/bubblewrap/program.ts'
import { usedDescriptors } from '../../src/dropin/bubblewrap/request.ts'
import { HutchError } from '../../src/index.ts'
import { runProgram } from '../../src/run/ungrouped.ts'
import { hostMounts, tree, workplace } from '../support/image.ts'
import { killsHutches } from '../support/leaks.ts'
import { requires } from '../support/requires.ts'
import { startSwapper } from '../support/swapper.ts'

killsHutches()

const starts = Number(process.env.HUTCH_ATTACKS ?? (process.env.VM ? 30 : 150))
const { path: work, remove } = workplace()
afterAll(remove)

const facts: BwrapFacts = {
  uid: 0,
  gid: 0,
  permitted: [],
  known: [],
  possible: new Set(),
  directories: ['/'],
}

const root = [
  '--ro-bind',
  '/usr',
  '/usr',
  ...['bin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
]
/** What is made in the directory that is swapped. */
const steps = [
  ['--dir', '/own/sub/made/deep'],
  ['--file', 'FD', '/own/sub/new'],
  ['--symlink', 'x', '/own/sub/deeper/link'],
  ['--tmpfs', '/own/sub/tmpfs'],
  ['--ro-bind-data', 'FD', '/own/sub/data'],
  ['--ro-bind', '/etc/passwd', '/own/sub/passwd'],
  ['--chmod', '0777', '/own/sub/inner'],
  ['--dir', '/own/up/made', '--file', 'FD', '/own/up/new'],
]

/** Its exit status. */
async function start(words: string[]): Promise<number> {
  const fd = openSync(`${work}/data`, 'r')
  try {
    const args = [...root, '--bind', `${work}/own`, '/own', ...words, 'true'].map((word) =>
      word === 'FD' ? `${fd}` : word,
    )
    const parsed = parseBwrap(args, () => '')
    if ('show' in parsed) return -1
    const launch = {
      words: parsed.request.words,
      shell: '',
      env: ['PATH=/bin'],
      descriptors: usedDescriptors(parsed.request),
      filters: [],
    }
    const ending = await runProgram(compileBwrap(planBwrap(parsed.request, parsed.asks, facts), launch), 'leave')
    return 'exit' in ending ? ending.exit : -1
  } finally {
    closeSync(fd)
  }
}

test(`${starts} starts under attack: nothing is made outside`, { timeout: 600_000 }, async (context) => {
  requires(context, 'root')
  const outside = `${work}/outside`
  mkdirSync(`${outside}/inner`, { recursive: true, mode: 0o755 })
  writeFileSync(`${work}/data`, 'data\n')
  mkdirSync(`${work}/own/sub/inner`, { recursive: true })
  mkdirSync(`${work}/own/up`)
  symlinkSync(outside, `${work}/own/sub.twin`)
  symlinkSync(`${'../'.repeat(12)}${outside.slice(1)}`, `${work}/own/up.twin`)
  const before = { mounts: hostMounts(), files: tree(outside), mode: statSync(`${outside}/inner`).mode }
  const attacker = await startSwapper([`${work}/own/sub`, `${work}/own/up`])
  try {
    // the control: who goes by names alone is led outside
    for (const until = Date.now() + 60_000; Date.now() < until && !existsSync(`${outside}/control`); )
      try {
        mkdirSync(`${work}/own/sub/control`)
      } catch {
        // it was made inside before, or swapped between two steps
        rmSync(`${work}/own/sub/control`, { recursive: true, force: true })
      }
    expect(existsSync(`${outside}/control`)).toBe(true)
    rmdirSync(`${outside}/control`)
    const told: { [word: string]: number } = {}
    for (let i = 0; i < starts; i++) {
      const word = await start(steps[i % steps.length]!).catch((error: unknown) => {
        if (!HutchError.is(error) || error.code !== 'MOUNT_REFUSED') throw error
        return error.errno ?? ''
      })
      told[word] = (told[word] ?? 0) + 1
    }
    expect(attacker.exitCode).toBe(null)
    expect({
      mounts: hostMounts(),
      files: tree(outside),
      mode: statSync(`${outside}/inner`).mode,
    }).toEqual(before)
    // both must have happened, else this tests nothing
    expect(told[0] ?? 0).toBeGreaterThan(0)
    expect(starts - (told[0] ?? 0)).toBeGreaterThan(0)
    if (process.env.HUTCH_ATTACKS) console.log(told)
  } finally {
    attacker.kill('SIGKILL')
    await once(attacker, 'exit')
  }
})
