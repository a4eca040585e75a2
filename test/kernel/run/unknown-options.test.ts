// SPDX-License-Identifier: Apache-2.0
// Unknown options at each function of the library that accepts an object: every one is refused, by name, and nothing is started or changed.
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  Cgroup,
  createPool,
  enterScope,
  openSampler,
  openStats,
  type Pool,
  type RunOptions,
  run,
  start,
  why,
} from '../../../src/index.ts'
import { type LibraryCall, optionsOf } from '../../../src/options/calls.ts'
import { foreignWords } from '../../../src/options/others/library.ts'
import { isOptions, rowsOf, sections } from '../../support/api-page.ts'
import { foreignOptions } from '../../support/foreign-options.ts'
import { workplace } from '../../support/image.ts'

const { path: work, remove } = workplace()
const file = `${work}/started`
const name = `/hutch-test-${process.pid}-unknown`
let group: Cgroup
let pool: Pool

beforeAll(async () => {
  group = await Cgroup.create(name, { limits: { pids: 10 } })
  pool = await createPool({ size: 1 })
})
afterAll(async () => {
  await pool.close()
  await group.remove()
  remove()
})

/** Calls each function with the given options. */
const calls: { [call in LibraryCall]: (options: never) => unknown } = {
  run: (options) => run('touch', [file], options),
  start: (options) => start('touch', [file], options),
  'pool.run': (options) => pool.run('touch', [file], options),
  createPool: (options: RunOptions) => createPool({ size: 1, ...options }),
  'Cgroup.create': (options) => Cgroup.create(`${name}-new`, options),
  'Cgroup.set': (options) => group.set('pids.max', 5, options),
  'Cgroup.events': (options) => group.events(options).next(),
  'Cgroup.remove': (options) => group.remove(options),
  enterScope,
  openStats: (options) => (openStats as (groups: Cgroup[], options: object) => unknown)([group], options),
  openSampler,
  why: (options) => why(options),
}
const objects: { [title: string]: (options: never) => unknown } = {
  ...calls,
  'Cgroup.set, limits': (options) => group.set(options),
  'why, second argument': (options) => (why as (target: number, options: object) => unknown)(1, options),
  'openStats, first argument': (options) => openStats(options),
}

async function refusal(call: (options: never) => unknown, word: string): Promise<unknown> {
  try {
    return await call({ [word]: undefined } as never)
  } catch (error) {
    return error
  }
}

/** Returns the misspellings of a word: one letter is missing, or two are swapped. */
function misspell(word: string): string[] {
  const at = Math.floor(word.length / 2)
  return [word.slice(0, at) + word.slice(at + 1), word.slice(0, at - 1) + word[at] + word[at - 1] + word.slice(at + 1)]
}

const foreign = Object.values(foreignOptions).flat()
const own = [...new Set(Object.values(optionsOf).flat())]
const words = [...new Set([...foreign, ...own, ...own.flatMap(misspell), 'xyzzy', 'hasOwnProperty', '', 'a b', 'ü'])]

test.each(Object.entries(objects))('%s refuses each option that it does not have', async (title, call) => {
  const keys: readonly string[] =
    title === 'Cgroup.set, limits' ? ['memory', 'swap', 'pids', 'cpus'] : (optionsOf[title as LibraryCall] ?? [])
  const limits = ['memoryHigh', 'memoryLow', 'memoryMin', 'oomGroup', 'cpuWeight', 'cpusetCpus', 'ioMax']
  const wrong = []
  for (const word of words) {
    if (keys.includes(word) || (title === 'Cgroup.set, limits' && limits.includes(word))) continue
    const error = (await refusal(call, word)) as { code?: string; value?: string; message: string; remedy: string }
    const named = error?.code === 'OPTION_UNKNOWN' && error.value === word && error.message.includes('unknown option')
    const known = Object.hasOwn(foreignWords, word.toLowerCase())
    if (!named || error.remedy === '' || (known && /^(known|did you mean)/.test(error.remedy)))
      wrong.push(`${word}: ${error?.message ?? error}`)
  }
  expect(wrong).toEqual([])
  expect([existsSync(file), pool.stats().started]).toEqual([false, 0])
  expect([group.get('pids'), group.get('cgroup.procs')]).toEqual([10, []])
  expect(() => Cgroup.open(`${name}-new`)).toThrow(expect.objectContaining({ code: 'CGROUP_NOT_FOUND' }))
})

test('an unknown manager of enterScope is refused', async () => {
  await expect(enterScope({ manager: 'machine' as never })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

/** Returns the functions of the API page that have a parameter with options, such as `Cgroup.create`. */
function functionsWithOptions(): string[] {
  const signatures = [...sections].flatMap(([symbol, section]) => [
    ...[...section.matchAll(/^function (\w+.*)$/gm)].map(([, text]) => text!),
    ...(section.includes(`class ${symbol}`)
      ? rowsOf(section).map((row) => `${symbol}.${row.replace('static ', '')}`)
      : []),
  ])
  const found = signatures.filter((text) => {
    const parameters = text.slice(text.indexOf('('), text.lastIndexOf('): ') + 1)
    return /\{ \w+\?:/.test(parameters) || (parameters.match(/\b[A-Z]\w+/g) ?? []).some(isOptions)
  })
  return [...new Set(found.map((text) => /^[\w.]+/.exec(text)![0].replace('Pool.', 'pool.')))]
}

test('the table of functions contains each function of the API that has a parameter with options', () => {
  const found = functionsWithOptions()
  expect(found).toContain('Cgroup.remove')
  expect(found.sort()).toEqual(
    Object.keys(calls)
      .filter((call) => !['openStats', 'openSampler', 'why'].includes(call))
      .sort(),
  )
})

test.each([
  ['Cgroup.create', 'CreateOptions'],
  ['Cgroup.set', 'SetOptions'],
  ['Cgroup.events', 'WatchOptions'],
  ['enterScope', 'ScopeOptions'],
  ['createPool', 'RunOptions'],
  ['createPool', 'PoolOptions'],
  ['run', 'StartOptions'],
  ['run', 'OutputOptions'],
] as const)('the options of %s are those of the type %s', (call, type) => {
  const members = rowsOf(sections.get(type)!).map((row) => row.split('?')[0])
  expect(members.length).toBeGreaterThan(0)
  expect(members.filter((key) => !(optionsOf[call] as readonly string[]).includes(key!))).toEqual([])
})
