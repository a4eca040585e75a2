// SPDX-License-Identifier: Apache-2.0
// The decision list as compiled files walk it: native/compiled/decide.c and decide.ts give the same kind for any figures.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { causeKinds } from '../../../src/verdict/cause.ts'
import { decide, encodeRows, endRows, type Facts, figureNames, heldRows } from '../../../src/verdict/decide.ts'
import { compile } from '../../support/compile.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-walker-`)
afterAll(() => rmSync(directory, { recursive: true }))

const header = readFileSync('native/compiled/compiled.h', 'utf8')

test.each([
  ['KINDS', causeKinds.map((kind) => kind.replaceAll('-', '_'))],
  ['FIGURES', figureNames.map((name) => name.replace(/[A-Z]/g, '_$&'))],
])('%s of the C walker are those of TypeScript, in the same order', (list, names) => {
  const text = new RegExp(`#define ${list}\\(X\\) \\\\\n((?:.*\\\\\n)*.*\n)`).exec(header)![1]!
  expect([...text.matchAll(/X\((\w+)\)/g)].map((match) => match[1])).toEqual(names.map((name) => name.toUpperCase()))
})

test('random figures give the same kind through both walkers', () => {
  const headers = (readdirSync('native', { recursive: true }) as string[]).filter((name) => name.endsWith('.h'))
  compile(
    `${directory}/walk`,
    ['test/support/programs/decide-rows.c', 'native/compiled/decide.c', ...headers.map((name) => `native/${name}`)],
    ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  )
  // figures close to those that rows ask for
  const values = [...new Set([...endRows, ...heldRows].flatMap(({ when }) => when.map(([, , value]) => value)))]
  const figure = fc.tuple(
    fc.nat({ max: figureNames.length - 1 }),
    fc.oneof(fc.constantFrom(...values), fc.nat({ max: 300 })),
  )
  const some = fc
    .array(figure, { maxLength: 5 })
    .map((set) => figureNames.map((_, i) => set.findLast(([at]) => at === i)?.[1] ?? 0))
  const samples = fc.sample(some, { numRuns: 20_000, seed: Date.now() })
  for (const rows of [endRows, heldRows]) {
    const numbers = encodeRows(rows)
    const input = Buffer.concat([
      Buffer.from(Uint32Array.from([numbers.length, ...numbers]).buffer),
      Buffer.from(BigUint64Array.from(samples.flat().map(BigInt)).buffer),
    ])
    const found = execFileSync(`${directory}/walk`, { input, encoding: 'utf8' }).trim().split('\n')
    const expected = samples.map((sample) => {
      const facts = Object.fromEntries(figureNames.map((name, i) => [name, sample[i]!])) as Facts
      return String(causeKinds.indexOf(decide(rows, facts).kind))
    })
    expect(found).toEqual(expected)
    // all rows were reached, or the samples show nothing
    expect(new Set(expected).size).toBeGreaterThan(4)
  }
})
