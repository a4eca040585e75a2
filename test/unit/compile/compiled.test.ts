// SPDX-License-Identifier: Apache-2.0
// The bytes of a compiled file, as values: lengths, words, each text once.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compiledMagic, compiledWords, encodeCompiled } from '../../../src/compile/file-format.ts'
import { encodeProgram } from '../../../src/ops/wire.ts'

const words = Object.fromEntries(compiledWords.map((word) => [word, word.toLowerCase()])) as never
const program = {
  outer: [{ op: 'readFile', path: '/a', origin: 'usage' }],
  inner: [{ op: 'setHostname', name: 'burrow', origin: 'hostname' }],
} as never
const flags = { passArguments: true, quiet: false, passEnvironment: true, dieWithParent: true }

test('the executable comes first, the footer tells where the rest is', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(fc.string()), (runner, texts) => {
      const refusals = texts.map((text, step) => ({
        section: 'inner' as const,
        step,
        part: 0,
        errno: 0,
        text: text.replaceAll('\0', ''),
      }))
      const file = encodeCompiled(Buffer.from(runner), {
        program,
        flags,
        refusals,
        words,
        rows: [[], []],
        facts: [['user', '0']],
        explained: 'explained',
      })
      expect(file.subarray(0, runner.length)).toEqual(Buffer.from(runner))
      const footer = Array.from({ length: 8 }, (_, i) => file.readUInt32LE(file.length - 32 + i * 4))
      expect(footer[0]).toBe(compiledMagic)
      expect(footer[7]).toBe(compiledMagic)
      expect(footer[2]).toBe(13)
      expect(footer[5]).toBe(file.length)
      const start = file.length - 32 - footer[3]! - footer[4]!
      expect(start).toBe((runner.length + 7) & ~7)
      expect(file.subarray(start, start + footer[3]!)).toEqual(Buffer.from(encodeProgram(program)))
      expect(file.readUInt32LE(start + footer[3]!)).toBe(refusals.length * 4)
    }),
  )
})

test('any byte that changes changes the checksum', () => {
  const make = (text: string) =>
    encodeCompiled(Buffer.alloc(8), { program, flags, refusals: [], words, rows: [[], []], facts: [], explained: text })
  expect(make('a').subarray(-8, -4)).not.toEqual(make('b').subarray(-8, -4))
  expect(make('a')).toEqual(make('a'))
})
