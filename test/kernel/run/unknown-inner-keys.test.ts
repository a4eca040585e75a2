// SPDX-License-Identifier: Apache-2.0
// Unknown keys of objects inside options, such as `{ file, append }` of stdio: every one is refused by its path, and nothing is started.
// The objects are those of docs/api.md.
import { existsSync, openSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cgroup, createPool, type Pool, run, start } from '../../../src/index.ts'
import { type LibraryCall, optionsOf } from '../../../src/options/calls.ts'
import { innerObjects } from '../../../src/options/inner-objects.ts'
import { wordsOfObject } from '../../../src/options/others/library.ts'
import { innerKeys } from '../../support/api-page.ts'
import { foreignOptions } from '../../support/foreign-options.ts'
import { workplace } from '../../support/image.ts'

const { path: work, remove } = workplace()
const file = `${work}/started`
const groupName = `/hutch-test-${process.pid}-inner`
let group: Cgroup
let pool: Pool

beforeAll(async () => {
  group = await Cgroup.create(groupName)
  pool = await createPool({ size: 1 })
})
afterAll(async () => {
  await pool.close()
  await group.remove()
  remove()
})

const calls: { [call in LibraryCall]?: (options: object) => unknown } = {
  run: (options) => run('touch', [file], options),
  start: (options) => start('touch', [file], options),
  'pool.run': (options) => pool.run('touch', [file], options),
  createPool: (options) => createPool({ size: 1, ...options }),
  'Cgroup.events': (options) => group.events(options).next(),
}
const keysOf: { readonly [call: string]: readonly string[] } = optionsOf
const known = new Set<string>(Object.values(optionsOf).flat())
/** Options whose objects have options or limits of their own; test/kernel/run/unknown-options.test.ts has those. */
const holders = ['limits', 'plan', 'sandbox']

test('the table has each option of the API whose value contains objects with fixed keys', () => {
  const documented = [...innerKeys()].filter(([option]) => known.has(option) && !holders.includes(option))
  expect(documented.length).toBeGreaterThan(5)
  for (const [option, keys] of documented)
    expect([option, [...new Set(keys)].sort()]).toEqual([option, [...(innerObjects[option]?.keys ?? [])].sort()])
  // the API page describes the keys of ulimits by any name
  expect(Object.keys(innerObjects).sort()).toEqual(['ulimits', ...documented.map(([option]) => option)].sort())
})

/** Returns the misspellings of a word: one letter is missing, or two are swapped. */
function misspell(word: string): string[] {
  const at = Math.floor(word.length / 2)
  return [word.slice(0, at) + word.slice(at + 1), word.slice(0, at - 1) + word[at] + word[at - 1] + word.slice(at + 1)]
}

/** Returns the values of an option that contain the object, each with the object's path. */
function valuesOf(option: string, object: object): [path: string, value: unknown][] {
  if (['landlock', 'mounts', 'pressure'].includes(option)) return [[`${option}[0]`, [object]]]
  if (option === 'stdio') return [...[0, 1, 2, 5].map((i) => inList(i, object)), ['stdio', object]]
  return [[option, object]]
}

function inList(i: number, object: object): [path: string, value: unknown] {
  return [`stdio[${i}]`, Object.assign(Array(i + 1).fill('ignore'), { [i]: object })]
}

/** Returns the options of a call that contain the value: next to other options, and inside the objects with options. */
function placesOf(call: string, option: string, path: string, value: unknown): [path: string, options: object][] {
  const isOfJob = keysOf.createPool!.includes(option)
  const inside = ['sandbox', 'plan'].filter((holder) => isOfJob && keysOf[call]!.includes(holder))
  return [
    [path, { [option]: value }],
    ...inside.map((holder): [string, object] => [`${holder}.${path}`, { [holder]: { [option]: value } }]),
  ]
}

async function refusal(call: (options: object) => unknown, options: object) {
  try {
    await call(options)
    return undefined
  } catch (error) {
    return error as { code?: string; value?: string; remedy?: string; message: string }
  }
}

const cases = Object.entries(innerObjects).flatMap(([option, { keys }]) =>
  Object.entries(calls)
    .filter(([call]) => keysOf[call]!.includes(option))
    .map(([call, start]) => ({ call, option, keys, start })),
)

test.for(cases)('$call refuses unknown keys inside $option', async ({ call, option, keys, start }) => {
  const own = Object.keys(wordsOfObject[option] ?? {})
  const foreign = Object.values(foreignOptions).flat()
  const words = new Set([...own, ...foreign, ...keys.flatMap(misspell), ...known, 'xyzzy', 'hasOwnProperty', '', 'ü'])
  const wrong = []
  for (const key of keys) words.delete(key)
  for (const word of words)
    for (const [path, value] of valuesOf(option, { ...(keys.includes('file') && { file }), [word]: 1 }))
      for (const [name, options] of placesOf(call, option, path, value)) {
        const error = await refusal(start, options)
        const named = error?.code === 'OPTION_UNKNOWN' && error.value === `${name}.${word}`
        const answered = !own.includes(word) || !/^(known|did you mean)/.test(error?.remedy ?? 'known')
        if (!named || !answered || !error.remedy) wrong.push(`${name}.${word}: ${error?.message}: ${error?.remedy}`)
      }
  expect(wrong).toEqual([])
  expect([existsSync(file), pool.stats().started]).toEqual([false, 0])
})

test('streams, descriptors and URLs of stdio are no such objects', async () => {
  const output = { fd: openSync(`${work}/output`, 'w'), name: 'output' } as never
  await run('sh', ['-c', 'echo out; echo err >&2'], { stdio: [null, output, new URL(`file://${work}/errors`)] })
  expect(['output', 'errors'].map((name) => readFileSync(`${work}/${name}`, 'utf8'))).toEqual(['out\n', 'err\n'])
})

test.each([
  ['memry', 'did you mean memory?'],
  ['Memory', 'give memory'],
  ['memory_max', 'give memory'],
  ['NanoCpus', 'give cpus; 1e9 is 1'],
  ['cpuset-cpus', 'give cpusetCpus'],
  ['pid', 'did you mean pids?'],
  ['timeout', 'give timeout to run'],
  ['xyzzy', 'known limits: memory, '],
])('set(%j) names the limit', async (word, remedy) => {
  const error = { code: 'OPTION_UNKNOWN', value: word, remedy: expect.stringContaining(remedy) }
  await expect(group.set(word, '1M')).rejects.toMatchObject(error)
  await expect(group.set({ [word]: '1M' } as never)).rejects.toMatchObject(error)
})

test.each([
  ['memory.hgih', 'did you mean memory.high?'],
  ['memry', 'did you mean memory.max?'],
  ['pid', 'did you mean pids.max?'],
])('get(%j) names the file', (word, remedy) => {
  expect(() => group.get(word)).toThrow(expect.objectContaining({ code: 'CGROUP_FILE_MISSING', remedy }))
})

test.each([
  ['cpu.max', { quota: 50_000, periode: 100_000 }, 'periode is not one of its keys; did you mean period?'],
  ['io.max', { '8:0': { rpbs: 1 } }, 'rpbs is not one of its keys; did you mean rbps?'],
  ['io.latency', { '8:0': { traget: 1 } }, 'traget is not one of its keys; did you mean target?'],
])('the value of %s has no unknown key', async (name, value, why) => {
  const error = { code: 'OPTION_INVALID', message: expect.stringContaining(why) }
  await expect(group.set(name, value)).rejects.toMatchObject(error)
  await expect(run('true', [], { limits: { [name]: value } })).rejects.toMatchObject(error)
})

const trigger = { resource: 'memory', kind: 'some', stallUsec: 150_000, windowUsec: 2_000_000 }
test.each([
  ['pressure', trigger],
  ['pressure[0]', ['memory']],
  ['pressure[0].resource', [{ ...trigger, resource: 'mem' }]],
  ['pressure[0].kind', [{ ...trigger, kind: 'all' }]],
  ['pressure[1].stallUsec', [trigger, { ...trigger, stallUsec: undefined }]],
  ['pressure[0].windowUsec', [{ ...trigger, windowUsec: '2s' }]],
])('an invalid trigger is named: %s', async (name, pressure) => {
  const error = { code: 'OPTION_INVALID', message: expect.stringContaining(`for ${name}`) }
  await expect(group.events({ pressure } as never).next()).rejects.toMatchObject(error)
})
