// SPDX-License-Identifier: Apache-2.0
// A letter typed into the terminal from which hutch was started (TIOCSTI; CVE-2017-5226): what the caller's shell reads next.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, type TestContext, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchLine } from '../support/command.ts'
import { compileTimeout } from '../support/compile.ts'
import { makeImage, workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { buildProgram } from './attempt.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)

beforeEach((context) => requires(context, 'root', 'busybox', 'script(1)'))
beforeAll(() => buildProgram(`${image}/bin/attempt`), compileTimeout)
afterAll(remove)

/** What it prints on a terminal of its own. */
async function onTerminal(command: string): Promise<string> {
  const { stdout } = await collect('script', ['-qec', command, '/dev/null'])
  return stdout
}

/** Since 6.2 a kernel can refuse it to all but CAP_SYS_ADMIN: then there is nothing to show without it. */
function needsLegacy(context: TestContext): void {
  let setting = '1'
  try {
    setting = readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'utf8').trim()
  } catch {
    // an older kernel allows it
  }
  if (setting === '1') return
  Object.assign(context.task.meta, { skipped: 'needs a kernel that allows TIOCSTI' })
  context.skip('needs a kernel that allows TIOCSTI')
}

test('control: outside it is typed', async () => {
  expect(await onTerminal(`${image}/bin/attempt type`)).toContain('got through')
})

test('a container on a terminal may type: --seccomp strict is the way to refuse it', async (context) => {
  needsLegacy(context)
  expect(await onTerminal(`${hutchLine} run --rootfs ${image} -- /bin/attempt type`)).toContain('got through')
})

test('the strict filter refuses it', async () => {
  const run = `${hutchLine} run --rootfs ${image} --seccomp strict`
  expect(await onTerminal(`${run} -- /bin/attempt type`)).toContain('refused: EPERM')
})

test('without the terminal there is nothing to type into', async () => {
  const run = `${hutchLine} run --rootfs ${image}`
  const { stdout } = await collect('setsid', ['-w', 'sh', '-c', `${run} -- /bin/attempt type`])
  expect(stdout).toMatch(/refused: E[A-Z]+/)
})
