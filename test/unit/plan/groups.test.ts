// SPDX-License-Identifier: Apache-2.0
// What users and files say of groups, as values: whatever it is, it is understood or refused by a HutchError, and never leads out of the tree.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTrigger } from '../../../src/cgroup/event-sources.ts'
import { parseFileName, parseGroupPath } from '../../../src/cgroup/path.ts'
import { parseSnapshot } from '../../../src/cgroup/snapshot.ts'
import { parseFlat, parseNumber, parsePressure } from '../../../src/cgroup/stats.ts'
import { parseFlags } from '../../../src/cli/flags.ts'
import { HutchError } from '../../../src/errors/errors.ts'

/** What `parse` gives; undefined when it refuses in words. Anything else that it throws fails the test. */
function tried<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!HutchError.is(error)) throw error
    return undefined
  }
}

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[./\0\n a-z]{0,12}$/),
  fc.constantFrom('..', '../..', '/', '', 'a/../b', 'a//b', './a', 'a\nb', 'a\0b', `${'x'.repeat(256)}`),
)

test('a path of a group stays in the tree', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const path = tried(() => parseGroupPath(text, 'test'))
      if (path === undefined) return
      expect(path).not.toMatch(/^\/|\/$|\/\/|[\0-\x1f\x7f]/)
      for (const part of path.split('/')) expect(part).not.toMatch(/^\.{1,2}$/)
      // once more changes nothing
      expect(parseGroupPath(path, 'test')).toBe(path)
    }),
  )
})

test.each([
  ['/a/b', 'a/b'],
  ['a//b/', 'a/b'],
  ['/', ''],
  ['docker-1.scope', 'docker-1.scope'],
])('%s is the group %s', (text, path) => expect(parseGroupPath(text, 'test')).toBe(path))

test('a name of a file has no path in it', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const name = tried(() => parseFileName(text, 'test'))
      if (name !== undefined) expect(name).toMatch(/^[A-Za-z0-9][\w.@-]*$/)
    }),
  )
  for (const name of ['memory.max', 'tasks', 'hugetlb.2MB.max', 'cgroup.procs', 'io.bfq.weight'])
    expect(parseFileName(name, 'test')).toBe(name)
})

test('a snapshot is understood or refused, whatever is in it', () => {
  const group = fc.record(
    {
      path: fc.oneof(nasty, fc.constant('/a/b')),
      hierarchy: fc.oneof(nasty, fc.constantFrom('v2', 'memory')),
      controllers: fc.oneof(fc.array(nasty), fc.constant(['memory']), fc.anything()),
      owner: fc.oneof(fc.constant([1, 2]), fc.anything()),
      files: fc.oneof(
        fc.dictionary(fc.oneof(nasty, fc.constant('pids.max')), fc.oneof(nasty, fc.constant('5'))),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  )
  const document = fc.oneof(
    fc.record({ hutch: fc.constant('cgroups 1'), groups: fc.oneof(fc.array(group), fc.anything()) }),
    fc.anything(),
  )
  fc.assert(
    fc.property(document, (value) => {
      let text: string | undefined
      try {
        text = JSON.stringify(value)
      } catch {
        // not everything can be
      }
      const snapshot = tried(() => parseSnapshot(text ?? String(value), 'test'))
      for (const { path, files } of snapshot?.groups ?? []) {
        expect(path).not.toMatch(/(^|\/)\.\.?(\/|$)|[\0-\x1f\x7f]/)
        for (const name of Object.keys(files)) expect(name).not.toMatch(/[/\0\n]|^cgroup\.procs$/)
      }
    }),
  )
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void tried(() => parseSnapshot(text, 'test'))))
})

test('a pressure trigger is one line that the kernel reads', () => {
  const parts = fc.stringMatching(/^(cpu|memory|io|x)?:?(some|full|y)?:?[0-9.a-z]{0,6}\/?[0-9.a-z]{0,6}$/)
  fc.assert(
    fc.property(fc.oneof(nasty, parts), (text) => {
      const trigger = tried(() => parseTrigger(text, 'test'))
      if (trigger) expect(trigger.stallUsec).toBeLessThanOrEqual(trigger.windowUsec)
    }),
  )
  expect(parseTrigger('memory:some:150ms/2s', 'test')).toEqual({
    resource: 'memory',
    kind: 'some',
    stallUsec: 150_000,
    windowUsec: 2_000_000,
  })
})

test('texts of kernel files give numbers or nothing', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      for (const value of Object.values(parseFlat(text))) expect(Number.isSafeInteger(value)).toBe(true)
      const number = parseNumber(text)
      if (number !== undefined) expect(Number.isNaN(number)).toBe(false)
      parsePressure(text)
    }),
  )
})

test('flags and words may stand in any order, up to --', () => {
  const table = { force: { short: 'f', help: '' }, set: { value: 'X', help: '' } }
  expect(parseFlags(['a', '-f', 'b', '--set', '1', '--', '-x'], table, true)).toEqual({
    values: { force: [''], set: ['1'] },
    order: [['set', '1']],
    rest: ['a', 'b', '-x'],
  })
  expect(parseFlags(['-f', 'a', '-x'], table)).toEqual({ values: { force: [''] }, order: [], rest: ['a', '-x'] })
  fc.assert(fc.property(fc.array(nasty), (args) => void tried(() => parseFlags(args, table, true))))
})
