// SPDX-License-Identifier: Apache-2.0
// A terminal stays a terminal: script(1) gives one.
// In a VM only in `npm run test:kernels`.
import { expect, test } from 'vitest'
import { hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { type } from './typed.ts'

const hutchRun = `${hutchLine} run --`

test('bash is an interactive shell with job control', async (context) => {
  requires(context, 'script(1)')
  // a shell that starts programs meanwhile cannot stop between vfork(2) and the exec: bash would wait for ever
  const job = `sh -c 'trap "echo on $((7*7))" CONT; sleep 60 & echo up $((6*7)); while :; do wait; done'`
  const out = await type(`${hutchRun} bash --norc -i`, [
    // a job says when it runs and when it goes on: a key that comes before is bash's, which does nothing
    [/[#$] $/, `tty; ${job}\n`],
    [/up 42/, '\x1a'],
    [/Stopped[\s\S]*[#$] $/, 'jobs; fg\n'],
    [/on 49/, '\x03'],
    [/[#$] $/, 'echo status $?\n'],
    [/status 130[\s\S]*[#$] $/, 'exit 5\n'],
  ])
  expect(out).toMatch(/^\/dev\/pts\/\d+$/m)
  expect(out).toMatch(/^\[1\]\+ {2}Stopped +sh -c /m)
  expect(out).toMatch(/^status 130$/m)
  expect(out).not.toContain('no job control')
})

test('Ctrl-C ends the command once, and hutch with 130', async (context) => {
  requires(context, 'script(1)')
  const out = await type(
    `trap : INT; ${hutchRun} sh -c 'trap "echo caught; exit 8" INT; echo up; while :; do sleep 0.1; done'; echo status $?`,
    [[/up/, '\x03']],
  )
  expect(out.match(/caught/g)).toHaveLength(1)
  expect(out).toMatch(/^status 8$/m)
})

test('the verdict is coloured on a terminal only', async (context) => {
  requires(context, 'script(1)')
  expect(await type(`${hutchRun} no-such-command`, [])).toContain('\x1b[1;31mhutch: cannot run no-such-command')
  expect(await type(`NO_COLOR=1 ${hutchRun} no-such-command`, [])).not.toContain('\x1b[')
})
