// SPDX-License-Identifier: Apache-2.0
// Each invocation once with bubblewrap and once with hutch's bwrap: what the program inside saw and how it ended are the same.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { bwrapOptions } from '../../src/dropin/bubblewrap/option-table.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { cases } from './cases.ts'
import { differences } from './differences.ts'
import { type Case, removeCopy, runCase } from './side.ts'

// another release than the installed one can be named
const real = process.env.HUTCH_TEST_BWRAP ?? '/usr/bin/bwrap'
const release = existsSync(real) ? execFileSync(real, ['--version'], { encoding: 'utf8' }) : ''
const version = Number(/(\d+)\.(\d+)/.exec(release)?.slice(1).join('.') ?? 0)
/** 0.8 is before 0.13. */
const isSince = (wanted = 0) =>
  version > 0 && Number(String(version).split('.')[1]) >= Number(String(wanted).split('.')[1] ?? 0)

afterAll(removeCopy)

/** Under emulation, where all is many times slower, every case but once, as root and as a user in turns. */
const turns = (one: Case, as: string, i: number) =>
  one.as !== undefined ? one.as === as : !process.env.VM || (i % 2 === 0) === (as === 'root')

for (const as of ['root', 'user'] as const)
  describe(`as ${as}`, () => {
    test.for(
      sampled(
        cases.filter((one, i) => turns(one, as, i)).map((one) => [String(one.line), one] as const),
        true,
        6,
      ),
    )('%s', async ([, one], context) => {
      requires(context, 'root', 'bubblewrap', 'setpriv(1)')
      const ours = await runCase(one, as, undefined)
      // a release that cannot do this yet: that hutch does it well is seen beside a newer one
      if (!isSince(one.since)) return
      const theirs = await runCase(one, as, real)
      if (one.differs) expect(theirs.status).not.toBe(one.differs.status)
      const status = one.differs?.status ?? theirs.status
      expect({ ...ours, stderr: '' }, ours.stderr + theirs.stderr).toEqual({
        status,
        stdout: one.differs ? ours.stdout : theirs.stdout,
        stderr: '',
      })
      if (theirs.stderr.startsWith('bwrap: ')) expect(ours.stderr).toMatch(/^bwrap: /)
    })
  })

test('docs/bubblewrap.md has every option and the known differences', () => {
  const page = readFileSync('docs/bubblewrap.md', 'utf8')
  const [table = '', rows = ''] = page.split('\n## Options\n')[1]?.split('\n## Known differences\n') ?? []
  const told = [...rows.matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)].slice(2).map(([, name, words]) => [name, words])
  expect(told).toEqual(Object.entries(differences))
  expect([...new Set([...table.matchAll(/--[a-z][a-z0-9-]+/g)].map(String))].sort()).toEqual(
    Object.keys(bwrapOptions)
      .filter((name) => !/-bind-try$/.test(name))
      .sort(),
  )
})
