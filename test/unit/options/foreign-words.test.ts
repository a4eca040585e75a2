// SPDX-License-Identifier: Apache-2.0
// Unknown options: words of execa, child_process and dockerode are answered with hutch's option, for each function and each object inside.
import { assert, constantFrom, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { type LibraryCall, optionsOf } from '../../../src/options/calls.ts'
import { findInstead } from '../../../src/options/find-instead.ts'
import { innerObjects } from '../../../src/options/inner-objects.ts'
import { foreignLimits, foreignWords, wordsOfCall, wordsOfObject } from '../../../src/options/others/library.ts'
import { limitRowOf, runOptionKeys } from '../../../src/options/table.ts'
import { type InnerObject, refuseUnknown } from '../../../src/options/unknown-option.ts'
import { foreignOptions } from '../../support/foreign-options.ts'

const keysOf: { [call in LibraryCall]: readonly string[] } = optionsOf
const calls = Object.keys(optionsOf) as LibraryCall[]
const limitKeys = Object.keys(limitRowOf)
const lowerable = ['memory', 'swap', 'pids', 'cpus']

/** Objects inside the options of each function. */
const inner: [LibraryCall, InnerObject][] = [
  ...(['run', 'start', 'createPool'] as const).flatMap((call): [LibraryCall, InnerObject][] => [
    [call, { name: 'limits', keys: limitKeys }],
    [call, { name: 'sandbox', keys: runOptionKeys }],
  ]),
  ['createPool', { name: 'plan', keys: runOptionKeys }],
  ['pool.run', { name: 'limits', keys: lowerable }],
  ['Cgroup.create', { name: 'limits', keys: limitKeys }],
  ['Cgroup.set', { name: '', keys: limitKeys }],
  ...Object.entries(innerObjects).flatMap(([option, { keys }]) =>
    calls
      .filter((call) => keysOf[call].includes(option))
      .map((call): [LibraryCall, InnerObject] => [call, { name: `${option}[0]`, keys }]),
  ),
]
const objects: [LibraryCall, InnerObject][] = [
  ...calls.map((call): [LibraryCall, InnerObject] => [call, { name: '', keys: keysOf[call] }]),
  ...inner,
]

function remedyAt(call: LibraryCall, word: string, object?: InnerObject): string | undefined {
  try {
    refuseUnknown(call, { [word]: 1 }, object)
    return undefined
  } catch (error) {
    return (error as { remedy: string }).remedy
  }
}

/** Returns what is wrong with an answer that names an option: it must exist where the answer says. */
function misplaced(call: LibraryCall, { keys }: InnerObject, remedy: string): boolean {
  const [, option, to] = /^give (\w+)(?: to ([\w.]+?)(?::|$))?/.exec(remedy) ?? []
  if (to !== undefined && option !== 'it') return !keysOf[to as LibraryCall].includes(option!)
  if (option === undefined || ['it', 'the'].includes(option)) return false
  if (/^give \w+ (beside|in the options after)/.test(remedy)) return !keysOf[call].includes(option)
  return !keys.includes(option)
}

test.each(Object.entries(foreignOptions))(
  'each option of %s is known, or answered with what does the same',
  (_, list) => {
    const wrong = list.flatMap((word) =>
      objects.flatMap(([call, object]) => {
        if (object.keys.includes(word)) return []
        const remedy = remedyAt(call, word, object)
        const silent = remedy === undefined || /^(known|did you mean|leave it out: \S+ has no options)/.test(remedy)
        return silent || misplaced(call, object, remedy) ? [`${call} ${object.name}: ${word}: ${remedy}`] : []
      }),
    )
    expect(wrong).toEqual([])
  },
)

test('an option of another function names that function, and its object', () => {
  const wrong = calls.flatMap((call) =>
    calls.flatMap((other) =>
      keysOf[other].flatMap((word) => {
        if (keysOf[call].includes(word)) return []
        const remedy = remedyAt(call, word)!
        const [, home] = /(?: to |in the options of )([\w.]+)/.exec(remedy) ?? []
        const named = home !== undefined && keysOf[home as LibraryCall]?.includes(word)
        return named || wordsOfCall[call]?.[word.toLowerCase()] ? [] : [`${call}: ${word}: ${remedy}`]
      }),
    ),
  )
  expect(wrong).toEqual([])
})

test.each<[LibraryCall, string, InnerObject | undefined, string]>([
  ['start', 'lines', undefined, 'give lines to run: start does not collect output'],
  ['pool.run', 'mounts', undefined, 'give mounts to createPool: its sandboxes'],
  ['pool.run', 'forceKillAfterDelay', undefined, 'give killAfter to createPool'],
  ['createPool', 'input', undefined, 'give input to pool.run: it belongs to one job'],
  ['createPool', 'stdin', undefined, 'in the options of pool.run: give input'],
  ['run', 'size', undefined, 'give size to createPool'],
  ['run', 'mayExist', undefined, 'give mayExist to Cgroup.create'],
  ['run', 'memory', undefined, 'give it in limits: { memory'],
  ['run', 'memory.high', undefined, "give it in limits: { 'memory.high'"],
  ['run', 'timeout', { name: 'limits', keys: limitKeys }, 'give timeout beside limits'],
  ['run', 'input', { name: 'sandbox', keys: runOptionKeys }, 'give input beside sandbox'],
  ['createPool', 'input', { name: 'sandbox', keys: runOptionKeys }, 'give input to pool.run'],
  ['createPool', 'size', { name: 'plan', keys: runOptionKeys }, 'give size beside plan'],
  ['pool.run', 'cpuWeight', { name: 'limits', keys: lowerable }, 'give it to createPool: limits: { cpuWeight'],
  ['pool.run', 'Memory', { name: 'limits', keys: lowerable }, 'give memory'],
  ['Cgroup.create', 'memory', undefined, 'give it in limits: { memory'],
  ['Cgroup.create', 'timeout', { name: 'limits', keys: limitKeys }, 'give timeout to run'],
  ['Cgroup.create', 'CgroupParent', undefined, 'give parent'],
  ['Cgroup.set', 'memory', undefined, 'give it in the first argument: set({ memory'],
  ['Cgroup.set', 'force', { name: '', keys: limitKeys }, 'give force in the options after the limits'],
  ['Cgroup.set', 'NanoCpus', { name: '', keys: limitKeys }, 'give cpus; 1e9 is 1'],
  ['Cgroup.remove', 'force', undefined, 'give kill'],
  ['Cgroup.events', 'since', undefined, 'events begin with the loop'],
  ['enterScope', 'user', undefined, "give manager: 'user'"],
  ['enterScope', 'memory', undefined, 'give it to run, start or Cgroup.create: limits'],
  ['openSampler', 'interval', undefined, 'leave it out: openSampler always samples all groups'],
  ['openSampler', 'depth', undefined, 'leave it out: openSampler has no options'],
  ['openStats', 'recursive', undefined, 'give recursive to Cgroup.events'],
  ['why', 'verbose', undefined, 'in the options of run: give onEvent'],
])('%s with %s', (call, word, object, remedy) => {
  expect(remedyAt(call, word, object)).toContain(remedy)
})

test.each(Object.entries(wordsOfObject))('what an answer inside %s names is one of its keys', (option, words) => {
  const { keys } = innerObjects[option]!
  const named = Object.entries(words).flatMap(([word, [key]]) => (key === '' ? [word] : [word, key]))
  const rows = Object.values(words)
  expect(rows.map(([key]) => key).filter((key) => key !== '' && !keys.includes(key))).toEqual([])
  expect(rows.filter(([key, advice]) => key === '' && advice === undefined)).toEqual([])
  expect(named.filter((word) => !/^[a-z]+$/i.test(word))).toEqual([])
})

test('what an answer names is an option of hutch', () => {
  const known = new Set<string>(Object.values(keysOf).flat())
  const tables = [foreignWords, ...Object.values(wordsOfCall)]
  const rows = tables.flatMap((table) => Object.values(table))
  expect(rows.map(([option]) => option).filter((option) => option !== '' && !known.has(option))).toEqual([])
  const wrong = rows.flatMap(([, advice = '']) =>
    [...advice.matchAll(/\bgive (?:no )?(\w+)(?:\.\w+)?(?:[:,;]|$| for| with)/g)]
      .map(([, name]) => name!)
      .filter((name) => !known.has(name)),
  )
  expect(wrong).toEqual([])
  for (const [key] of Object.values(foreignLimits)) expect(key.includes('.') || key in limitRowOf).toBe(true)
})

test('other words are answered with the nearest option or with all', () => {
  assert(
    property(string({ minLength: 1 }), constantFrom(...objects), (word, [call, object]) => {
      const remedy = remedyAt(call, word, object)
      expect(remedy === undefined).toBe(object.keys.includes(word))
      expect(remedy).not.toBe('')
    }),
  )
  expect(findInstead({ call: 'run', name: '', keys: optionsOf.run }, 'constructor')).toBe(undefined)
  expect(findInstead({ call: 'run', name: 'limits', keys: limitKeys }, '__proto__')).toBe(undefined)
})
