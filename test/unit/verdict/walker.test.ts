// SPDX-License-Identifier: Apache-2.0
// The decision list as compiled files walk it: native/compiled/decide.c and decide.ts give the same kind for any figures.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { causeKinds } from '../../../src/verdict/cause.ts'
import { decide, encodeRows, endRows, type Facts, figureNames, heldRows } from '../../../src/verdict/decide.ts'

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

/** Rows, then any number of figures, on stdin; a kind for each on stdout. All are u32 but the figures. */
const program = `
#include <stdio.h>
#include <stdlib.h>
#include "${process.cwd()}/native/compiled/compiled.h"
int main(void)
{
	u32 count;
	u64 figures[FIGURE_COUNT];
	if (fread(&count, 4, 1, stdin) != 1)
		return 1;
	u32 *rows = malloc(4 * (count + 1));
	if (fread(rows, 4, count, stdin) != count)
		return 1;
	struct numbers list = { count, rows };
	while (fread(figures, sizeof figures, 1, stdin) == 1)
		printf("%u\\n", decide_kind(&list, figures));
	free(rows);
	return 0;
}
`

test('random figures give the same kind through both walkers', () => {
  writeFileSync(`${directory}/walk.c`, program)
  const files = ['-o', `${directory}/walk`, `${directory}/walk.c`, 'native/compiled/decide.c']
  execFileSync('gcc', ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', ...files])
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
