// SPDX-License-Identifier: Apache-2.0
// Devices: the words of --device, the lines for v1, and the program for v2, run by hand beside the rules it was made from.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compileDeviceFilter,
  type DeviceRule,
  defaultDevices,
  formatDeviceRule,
  type OrderedDeviceRule,
} from '../../../src/devices/device-filter.ts'
import { formatOrderedRules, simplifyDeviceRules } from '../../../src/devices/ordered-rules.ts'
import { splitNumber } from '../../../src/host/device.ts'
import { HutchError } from '../../../src/index.ts'
import { parseDevices } from '../../../src/options/device-option.ts'

test('a path alone is the same inside, for everything', () => {
  expect(parseDevices(['/dev/fuse', '/dev/sdb:/dev/disk:r', '/dev/sdb:rw'], 'cli')).toEqual([
    { path: '/dev/fuse', inside: '/dev/fuse', access: 'rwm', origin: '--device' },
    { path: '/dev/sdb', inside: '/dev/disk', access: 'r', origin: '--device' },
    { path: '/dev/sdb', inside: '/dev/sdb', access: 'rw', origin: '--device' },
  ])
})

test.each([
  ['dev/fuse', 'not absolute'],
  ['/dev/../etc', '".."'],
  ['/dev/fuse:/x/../y', '".."'],
  ['/dev/fuse:rwx', 'letters of r, w and m'],
  ['/dev/fuse:rr', 'letters of r, w and m'],
  ['/dev/fuse:', 'letters of r, w and m'],
  ['/dev/fuse:/a:/b:r', 'too many parts'],
  ['/', 'not absolute'],
  ['/dev/x\0', 'NUL'],
  [7, 'string'],
])('%j is refused', (word, why) => {
  expect(() => parseDevices([word], 'library')).toThrow(why)
  expect(() => parseDevices([word], 'library')).toThrow('devices[0]')
})

test('any text is a device or an error with a remedy', () => {
  const parts = fc.constantFrom('/', 'dev', ':', 'rwm', 'r', '..', '/dev/null', '\n', ' ')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(parts).map((all) => all.join('')),
      ),
      (word) => {
        try {
          const [device] = parseDevices([word], 'cli')
          expect(device!.inside).toMatch(/^\//)
          expect(device!.access).toMatch(/^[rwm]{1,3}$/)
        } catch (error) {
          expect(HutchError.is(error) && error.code).toBe('OPTION_INVALID')
        }
      },
    ),
  )
})

test('device numbers are split as makedev(3) has them', () => {
  expect(splitNumber(0x103)).toEqual({ major: 1, minor: 3 })
  expect(splitNumber(259 * 2 ** 8 + (70_000 % 256) + Math.floor(70_000 / 256) * 2 ** 20)).toEqual({
    major: 259,
    minor: 70_000,
  })
})

test('v1 gets a line each', () => {
  expect(defaultDevices.slice(0, 3).map(formatDeviceRule)).toEqual(['c *:* m', 'b *:* m', 'c 1:3 rwm'])
})

/** What the kernel does with the program: the opcodes that it has. */
function ask(program: number[], type: number, access: number, major: number, minor: number): number {
  const context: { [offset: number]: number } = { 0: access * 2 ** 16 + type, 4: major, 8: minor }
  const registers: number[] = []
  for (let at = 0; at * 2 < program.length; at++) {
    const [head = 0, constant = 0] = program.slice(at * 2)
    const [opcode, to, from, offset] = [head & 0xff, (head >>> 8) & 0xf, (head >>> 12) & 0xf, head >> 16]
    if (opcode === 0x61) registers[to] = context[offset]!
    else if (opcode === 0xbf) registers[to] = registers[from]!
    else if (opcode === 0x57) registers[to] = (registers[to]! & constant) >>> 0
    else if (opcode === 0x77) registers[to] = registers[to]! >>> constant
    else if (opcode === 0x55) at += registers[to] === constant ? 0 : offset
    else if (opcode === 0x15) at += registers[to] === constant ? offset : 0
    else if (opcode === 0xb7) registers[to] = constant
    else if (opcode === 0x95) return registers[0]!
    else throw new Error(`opcode ${opcode} at ${at}`)
  }
  throw new Error('it has no end')
}

const number = fc.constantFrom(0, 1, 5, 136, 259, 4095)
const numberOrAll = fc.oneof(number, fc.constant('*' as const))
const letters = fc.subarray(['r', 'w', 'm'], { minLength: 1 })
const rule: fc.Arbitrary<DeviceRule> = fc.record({
  type: fc.constantFrom('c', 'b'),
  major: numberOrAll,
  minor: numberOrAll,
  access: letters.map((all) => all.join('')),
})
const asked = fc.tuple(fc.constantFrom('c', 'b'), letters, number, number)
const bitsOf = (all: readonly string[]) => all.reduce((sum, letter) => sum + { m: 1, r: 2, w: 4 }[letter]!, 0)
const isAbout = (one: DeviceRule, type: string, major: number, minor: number) =>
  one.type === type && (one.major === '*' || one.major === major) && (one.minor === '*' || one.minor === minor)

test('the program allows what one of its rules has all of, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), asked, (rules, [type, access, major, minor]) => {
      const allowed = rules.some(
        (one) => isAbout(one, type, major, minor) && access.every((letter) => one.access.includes(letter)),
      )
      expect(ask(compileDeviceFilter(rules), type === 'c' ? 2 : 1, bitsOf(access), major, minor)).toBe(Number(allowed))
    }),
  )
})

const ordered: fc.Arbitrary<OrderedDeviceRule[]> = fc.array(
  fc.tuple(rule, fc.boolean()).map(([one, allow]) => ({ ...one, allow })),
  { maxLength: 8 },
)

test('of ordered rules, the last one about a letter decides', () => {
  fc.assert(
    fc.property(ordered, asked, (rules, [type, access, major, minor]) => {
      const program = compileDeviceFilter(simplifyDeviceRules(rules).reverse())
      const answer = (all: readonly string[]) => ask(program, type === 'c' ? 2 : 1, bitsOf(all), major, minor) === 1
      const allows = (letter: string) =>
        rules.findLast((one) => isAbout(one, type, major, minor) && one.access.includes(letter))?.allow === true
      expect(access.map((letter) => answer([letter]))).toEqual(access.map(allows))
      // as on v1, an access with several letters needs a single rule that has them all
      if (answer(access)) expect(access.every(allows)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

test('the lines for v1 mean what the rules mean, or the rules are refused', () => {
  fc.assert(
    fc.property(ordered, asked, (rules, [type, [letter], major, minor]) => {
      const lines = formatOrderedRules(rules)
      if ('refused' in lines) return
      const [first, ...exceptions] = lines
      const parse = (value: string) =>
        /^(\w) (\S+):(\S+) (\w+)$/.exec(value)!.slice(1) as [string, string, string, string]
      const isException = exceptions.some(({ value }) => {
        const [ofType, ofMajor, ofMinor, access] = parse(value)
        const matches = (text: string, wanted: number) => text === '*' || Number(text) === wanted
        return ofType === type && matches(ofMajor, major) && matches(ofMinor, minor) && access.includes(letter!)
      })
      const allowed =
        rules.findLast((one) => isAbout(one, type, major, minor) && one.access.includes(letter!))?.allow === true
      expect(first!.value).toBe('a')
      expect(isException !== (first!.file === 'devices.allow')).toBe(allowed)
    }),
    { numRuns: 1000 },
  )
})

test.each<[string, OrderedDeviceRule[], string[]]>([
  ['nothing', [], ['devices.deny a']],
  [
    'one device twice',
    [
      { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'wm' },
    ],
    ['devices.deny a', 'devices.allow c 1:3 rwm'],
  ],
  [
    'everything but one',
    [
      { allow: true, type: 'c', major: '*', minor: '*', access: 'rwm' },
      { allow: true, type: 'b', major: '*', minor: '*', access: 'mrw' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
      { allow: false, type: 'b', major: 8, minor: '*', access: 'w' },
    ],
    ['devices.allow a', 'devices.deny b 8:* w'],
  ],
])('lines for v1: %s', (_name, rules, expected) => {
  const lines = formatOrderedRules(rules)
  expect('refused' in lines ? lines : lines.map(({ file, value }) => `${file} ${value}`)).toEqual(expected)
})

test('an exception from an exception is refused on v1', () => {
  const rules: OrderedDeviceRule[] = [
    { allow: true, type: 'c', major: 1, minor: '*', access: 'rwm' },
    { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
  ]
  expect(formatOrderedRules(rules)).toEqual({ refused: rules[1] })
})
