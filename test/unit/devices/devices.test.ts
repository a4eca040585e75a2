// SPDX-License-Identifier: Apache-2.0
// Devices: the words of --device, the lines for v1, and the program for v2, run by hand beside the rules it was made from.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compileDeviceFilter,
  type DeviceRule,
  defaultDevices,
  formatDeviceRule,
} from '../../../src/devices/device-filter.ts'
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

/** What the kernel does with the program: the five opcodes that it has. */
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
    else if (opcode === 0xb7) registers[to] = constant
    else if (opcode === 0x95) return registers[0]!
    else throw new Error(`opcode ${opcode} at ${at}`)
  }
  throw new Error('it has no end')
}

test('the program allows what one of its rules has all of, and nothing else', () => {
  const number = fc.constantFrom(0, 1, 5, 136, 259, 4095)
  const rule: fc.Arbitrary<DeviceRule> = fc.record({
    type: fc.constantFrom('c', 'b'),
    major: fc.oneof(number, fc.constant('*' as const)),
    minor: fc.oneof(number, fc.constant('*' as const)),
    access: fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join('')),
  })
  const asked = fc.tuple(fc.constantFrom('c', 'b'), fc.subarray(['r', 'w', 'm'], { minLength: 1 }), number, number)
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), asked, (rules, [type, letters, major, minor]) => {
      const allowed = rules.some(
        (one) =>
          one.type === type &&
          (one.major === '*' || one.major === major) &&
          (one.minor === '*' || one.minor === minor) &&
          letters.every((letter) => one.access.includes(letter)),
      )
      const bits = letters.reduce((sum, letter) => sum + { m: 1, r: 2, w: 4 }[letter]!, 0)
      expect(ask(compileDeviceFilter(rules), type === 'c' ? 2 : 1, bits, major, minor)).toBe(Number(allowed))
    }),
  )
})
