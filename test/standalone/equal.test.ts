// SPDX-License-Identifier: Apache-2.0
// Random input gives the same programs, values and errors in both hosts, byte by byte: the modules of equal/ run here, and in a binary.
// HUTCH_EQUAL_SEED and HUTCH_EQUAL_CASES (of each kind) repeat a run.
import { execFileSync } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { exception, kindNames, runCase } from './equal/cases.ts'

const seed = Number(process.env.HUTCH_EQUAL_SEED ?? Math.floor(Math.random() * 1_000_000))
const count = Number(process.env.HUTCH_EQUAL_CASES ?? (process.env.WHOLE ? 20_000 : 1000))
const program = `${process.cwd()}/build/standalone/equal`

beforeAll(() => {
  const args = ['scripts/build/standalone.js', '../test/standalone/equal/main.ts', 'equal']
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}, 600_000)

test.for(kindNames)('%s is the same in both hosts', { timeout: 600_000 }, async (kind) => {
  const args = [kind, String(seed), '0', String(count)]
  const lines = execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'] })
  const ofBinary = lines.split('\n').slice(0, -1)
  const ofNode: string[] = []
  for (let index = 0; index < count; index++) ofNode.push(await runCase(kind, seed, index))
  const repeat = `${program} ${kind} ${seed}`
  expect([repeat, ofBinary.length]).toEqual([repeat, count])
  const at = ofNode.findIndex((line, i) => line !== ofBinary[i])
  if (at >= 0) {
    const [node, binary] = [ofNode[at]!, ofBinary[at]!]
    const from = node.split('').findIndex((character, i) => character !== binary[i])
    const part = (line: string) => line.slice(Math.max(0, from - 100), from + 100)
    expect([`${repeat} ${at} ${at + 1}`, part(binary)]).toEqual(['the same', part(node)])
  }
  expect(ofNode.findIndex((line) => line.startsWith(exception))).toBe(-1)
  // enough of both: input that is only refused would test little
  const good = ofNode.filter((line) => line.startsWith('{"result"')).length
  console.log(`${kind}: ${good} of ${count} are good (HUTCH_EQUAL_SEED=${seed})`)
  expect(good).toBeGreaterThan(count / 10)
})
