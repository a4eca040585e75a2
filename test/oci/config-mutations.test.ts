// SPDX-License-Identifier: Apache-2.0
// Random changes to configurations: each document gives a Spec, or an error that names the property, soon.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HutchError } from '../../src/errors/errors.ts'
import { configShape, readConfig } from '../../src/oci/config/read-config.ts'
import type { Shape } from '../../src/oci/config/shape.ts'
import { toSpec } from '../../src/oci/config/to-spec.ts'
import { minimal } from './config-documents.ts'

const facts = {
  id: 'a',
  bundle: '/b',
  kernel: [6, 1] as const,
  hasAppArmor: true,
  hasSelinux: true,
  hasResctrl: true,
  groups: [],
  streams: { start: 3, kept: 0 },
}

/** CPU time, which depends less on other processes than the time of day. */
const millisecondsSince = (began: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

/** Values that are wrong for most properties, or at the edge. */
const odd = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  2 ** 64,
  -(2 ** 63),
  1e300,
  '',
  '/',
  '..',
  'a\0b',
  '\ud800',
  '0-8191',
  '__proto__',
  'CAP_KILL',
  [],
  [null],
  [''],
  [[]],
  {},
  { '': '' },
  { constructor: 1 },
  { length: 2 ** 31 },
)

const numbers = fc.constantFrom<unknown>(0, 1, 2, 7, 100, 1000)
const strings = fc.constantFrom<unknown>('/', '/proc/x', 'a', 'rbind', 'ro', 'tmpfs', '1.2.0', '0-3', 'rwm', '2MB')

/** Documents of a shape: each property is absent, of its own kind, or odd. */
function documents(shape: Shape<unknown>, depth = 0): fc.Arbitrary<unknown> {
  const { kind, each, properties = {}, required = [], words = [] } = shape
  const parts = () =>
    Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, documents(part, depth + 1)]))
  const likely = {
    object: () => fc.record(parts(), { requiredKeys: [...required] }),
    map: () => fc.dictionary(fc.constantFrom('net.ipv4.ip_forward', 'monotonic', 'x'), documents(each!, depth + 1)),
    list: () => fc.array(documents(each!, depth + 1), { maxLength: 2 }),
    flag: () => fc.boolean(),
    word: () => fc.constantFrom(...words),
    number: () => numbers,
    string: () => strings,
  }[kind]()
  return fc.oneof({ weight: depth < 2 ? 500 : 100, arbitrary: likely }, { weight: 1, arbitrary: odd })
}

type Keys = readonly (string | number)[]

/** All properties of a shape: the way to each, through the first element of lists. */
function propertiesOf(shape: Shape<unknown>, keys: Keys = []): { keys: Keys; shape: Shape<unknown> }[] {
  const below = shape.each
    ? propertiesOf(shape.each, [...keys, shape.kind === 'list' ? 0 : 'x'])
    : Object.entries(shape.properties ?? {}).flatMap(([name, part]) => propertiesOf(part, [...keys, name]))
  return keys.length > 0 ? [{ keys, shape }, ...below] : below
}

function replace(document: unknown, [key, ...rest]: Keys, value: unknown): unknown {
  if (key === undefined) return value
  const isParent = typeof document === 'object' && document !== null && Array.isArray(document) === (key === 0)
  const before = (isParent ? document : key === 0 ? [] : {}) as { [key: string | number]: unknown }
  const part = replace(before[key], rest, value)
  return Array.isArray(before) ? [part, ...before.slice(1)] : { ...before, [key]: part }
}

const callers = readdirSync('test/oci/configs').filter((name) => name.includes('-config-'))
const documentOf = (name: string): unknown => JSON.parse(readFileSync(`test/oci/configs/${name}`, 'utf8'))

test('a changed document of a caller gives a Spec, or an error that names a property', () => {
  const change = fc
    .constantFrom(...propertiesOf(configShape))
    .chain(({ keys, shape }) => fc.tuple(fc.constant(keys), fc.oneof(odd, documents(shape, 3))))
  const ends = { specs: 0, errors: 0 }
  fc.assert(
    fc.property(fc.constantFrom(...callers), fc.array(change, { minLength: 1, maxLength: 3 }), (name, changes) => {
      const changed = changes.reduce((before, [keys, value]) => replace(before, keys, value), documentOf(name))
      const began = process.cpuUsage()
      try {
        const { spec } = toSpec(readConfig(JSON.stringify(changed)), facts)
        expect(spec.container).toBeDefined()
        ends.specs++
      } catch (error) {
        if (!HutchError.is(error)) throw error
        expect(error.code).toBe('OCI_CONFIG_INVALID')
        expect(error.path).toMatch(/^(ociVersion|process|root|hostname|domainname|mounts|hooks|annotations|linux)\b/)
        ends.errors++
      }
      expect(millisecondsSince(began)).toBeLessThan(1000)
    }),
    { numRuns: 3000 },
  )
  expect(Math.min(ends.specs, ends.errors)).toBeGreaterThan(100)
})

test('bytes that change at random give a Spec or an error of hutch', () => {
  const valid = JSON.stringify(minimal({ 'linux.maskedPaths': ['/proc/kcore'], 'process.env': ['A=1'] }))
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(20), fc.string({ maxLength: 5 }), (at, length, text) => {
      try {
        toSpec(readConfig(valid.slice(0, at) + text + valid.slice(at + length)), facts)
      } catch (error) {
        if (!HutchError.is(error)) throw error
        expect(error.code).toBe('OCI_CONFIG_INVALID')
      }
    }),
    { numRuns: 2000 },
  )
})

test.each<[name: string, document: (size: number) => string]>([
  ['a long word', (size) => `{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"${'n'.repeat(size)}"}]}}`],
  ['a long list', (size) => `{"ociVersion":"1.0.0","process":{"cwd":"/","args":["a"${',"a"'.repeat(size / 4)}]}}`],
  [
    'many mounts',
    (size) => `{"ociVersion":"1.0.0","mounts":[{"destination":"/"}${',{"destination":"/"}'.repeat(size / 20)}]}`,
  ],
  ['many keys', (size) => `{"ociVersion":"1.0.0"${',"a":{}'.repeat(size / 7)}}`],
  ['a long number', (size) => `{"ociVersion":"1.0.0","linux":{"resources":{"pids":{"limit":${'9'.repeat(size)}}}}}`],
  ['long numbers', (size) => `{"ociVersion":"1.0.0","a":[1${',1234567890123456'.repeat(size / 17)}]}`],
  ['a deep list', (size) => `{"ociVersion":"1.0.0","a":${'['.repeat(size)}`],
  ['a large value of the wrong kind', (size) => `{"ociVersion":"1.0.0","hostname":[${'{},'.repeat(size / 3)}{}]}`],
])('%s of 4 MB ends soon', (_, document) => {
  const text = document(4_000_000)
  const began = process.cpuUsage()
  try {
    readConfig(text)
  } catch (error) {
    if (!HutchError.is(error)) throw error
    expect(error.message.length).toBeLessThan(2000)
  }
  expect(millisecondsSince(began)).toBeLessThan(3000)
})
