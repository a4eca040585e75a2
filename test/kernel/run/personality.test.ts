// SPDX-License-Identifier: Apache-2.0
// The operation setPersonality: the command has the execution domain that the program says. It needs no right.
import { expect, test } from 'vitest'
import { explainProgram } from '../../../src/ops/explain.ts'
import { type Op, type Program, sessions } from '../../../src/ops/ops.ts'
import { runProgram } from '../../../src/run/ungrouped.ts'

const addrNoRandomize = 0x0040000

const programOf = (...before: Op[]): Program => ({
  outer: [
    { op: 'spawn', flags: 0, group: '', session: sessions.kept, origin: 'test' },
    { op: 'wait', timeoutMs: 0, killAfterMs: 0, stopSignal: 15, reaps: 0, procs: [], killFile: '', origin: 'test' },
  ],
  inner: [
    ...before,
    {
      op: 'exec',
      argv: ['sh', '-c', 'test "$(cat /proc/self/personality)" = 00040000'],
      env: [],
      path: '/usr/bin:/bin',
      reap: 0,
      origin: 'test',
    },
  ],
})

test('the command has the execution domain of setPersonality, and another without it', async () => {
  const program = programOf({ op: 'setPersonality', persona: addrNoRandomize, origin: 'test' })
  expect(await runProgram(program, 'leave')).toEqual({ exit: 0 })
  expect(await runProgram(programOf(), 'leave')).toEqual({ exit: 1 })
  expect(explainProgram(program).find(({ op }) => op === 'setPersonality')?.shell).toBe('setarch --addr-no-randomize …')
})
