// SPDX-License-Identifier: Apache-2.0
// Paths below /proc and /sys that a root of its own covers, and leaving them uncovered: container engines inside need the whole /proc.
// In a VM only in `npm run test:kernels`.
import { beforeEach, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { coveredPaths } from '../../../src/mounts/masked-paths.ts'
import { hutch } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

beforeEach((context) => requires(context, 'root'))

const inSandbox = (script: string, options: RunOptions) =>
  run('/bin/sh', ['-c', script], { sandbox: true, seccomp: 'default', capAdd: ['SYS_ADMIN', 'SETFCAP'], ...options })
const nested = 'unshare --map-root-user --pid --fork --mount-proc true'

test('in a user namespace inside, a /proc can be mounted if nothing of it is covered', async () => {
  expect((await inSandbox(nested, {})).exitCode).not.toBe(0)
  expect((await inSandbox(nested, { unmask: ['/proc/keys'] })).exitCode).not.toBe(0)
  expect(await inSandbox(nested, { unmask: ['all'] })).toMatchObject({ exitCode: 0, stderr: '' })
})

test.each([[[]], [['/proc/sys']], [['/proc/keys', '/proc/irq']], [['all']]])(
  'with unmask %j the others stay covered',
  async (unmask) => {
    const { stdout } = await inSandbox(
      'grep -c "^[^ ]* [^ ]* [^ ]* [^ ]* /proc/" /proc/self/mountinfo; grep -o " /proc/[^ ]*" /proc/self/mountinfo',
      {
        ...(unmask.length > 0 && { unmask }),
      },
    )
    const covered = String(stdout)
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
    const uncovered = unmask[0] === 'all' ? coveredPaths : unmask
    for (const path of uncovered) expect(covered).not.toContain(path)
    for (const path of ['/proc/keys', '/proc/sys', '/proc/irq'])
      if (!uncovered.includes(path)) expect(covered).toContain(path)
  },
)

test.each([
  [['--sandbox', '--unmask', '/proc/version'], /for --unmask.*\n {2}remedy: give all, or \/proc\/acpi/],
  [['--sandbox', '--unmask', 'all', '--unmask', '/proc/sys'], /for --unmask/],
  [['--unmask', 'all'], /cannot use --unmask: .*\n {2}remedy: leave this option out, or add --rootfs or --sandbox/],
])('hutch run %j is refused', async (words, message) => {
  expect(await hutch(['run', ...words, '--', 'true'])).toEqual({
    status: 125,
    stdout: '',
    stderr: expect.stringMatching(message),
  })
})
