// SPDX-License-Identifier: Apache-2.0
// Each invocation once with the real cgroup-tools and once with hutch's drop-in of the same name, in groups of the same shape:
// exit status, stdout and the groups afterwards are the same, or the difference is a known one.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, type TestContext, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { type Case, cases } from './cases.ts'
import { type Difference, differences } from './differences.ts'
import { runCase, version } from './ground.ts'

const has = (tool: string) => spawnSync(tool, ['-h'], { stdio: 'ignore' }).error === undefined
const real = has('cgcreate') ? (has('cgxget') ? 3 : 2) : 0
// in a VM everything takes ten times as long, and a wrong command line beside 2.0 is the same everywhere
const again = (one: Case) => process.env.VM !== undefined && one.differs?.beside === 2 && real === 2 && !one.groups
const mine = cases.filter((one) => (one.on ?? version) === version && (one.since ?? 0) <= real && !again(one))
const isApart = (one: Case) => one.ownLines === true || one.last === true

const titled = sampled(
  cases
    .map((one, i) => [`${i} ${one.argv.join(' ')} ${one.files?.conf ?? ''}`.replace(/\s+/g, ' '), one] as const)
    .filter(([, one]) => mine.includes(one)),
  true,
  process.env.VM ? 8 : 2,
)

async function compare([, one]: (typeof titled)[number], context: TestContext): Promise<void> {
  requires(context, 'root', 'cgroup-tools')
  const { expect } = context
  const { stderr: _, ...theirs } = await runCase(one, true)
  const { stderr, ...ours } = await runCase(one, false)
  const { differs } = one
  if (differs && (differs.beside ?? real) === real) {
    expect({ status: ours.status, stderr }).toEqual({ status: differs.status, stderr })
    // an entry that is no longer true has to go
    if (differs.as !== 'words') expect(ours).not.toEqual(theirs)
  } else expect({ ...ours, stderr }).toEqual({ ...theirs, stderr })
  // what fails says what to do
  if (ours.status !== 0 && stderr !== '' && one.argv[0] !== 'cgexec')
    expect(stderr).toMatch(/^\w+: [\s\S]*\n {2}remedy: .+\n$/)
}

describe.concurrent('beside the real tools', () => {
  test.for(titled.filter(([, one]) => !isApart(one)))('%s', compare)
})

// these look at all groups there are, so none may come and go meanwhile, or change what others stand on
describe('beside the real tools, one by one', () => {
  test.for(titled.filter(([, one]) => isApart(one)))('%s', compare)
})

test('the real tools are here, and enough is compared', (context) => {
  requires(context, 'root', 'cgroup-tools')
  expect(mine.length).toBeGreaterThan(60)
})

test('docs/cgroup-tools.md has every known difference, and no other', () => {
  const told = [...readFileSync('docs/cgroup-tools.md', 'utf8').matchAll(/^\| ([^|]+?) +\| [^|]+\|$/gm)]
    .map(([, name]) => name!)
    .filter((name) => !/^(-+|difference|command)$/.test(name) && !name.startsWith('`'))
  expect(told).toEqual(Object.keys(differences))
})

test('every known difference is shown by a case, or cannot be by one', () => {
  const shown = new Set(cases.flatMap(({ differs }) => (differs ? [differs.as] : [])))
  const unshown: Difference[] = ['root removal', 'mounted already', 'snapshot owners', 'scopes']
  expect((Object.keys(differences) as Difference[]).filter((name) => !shown.has(name)).sort()).toEqual(unshown.sort())
})
