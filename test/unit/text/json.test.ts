// SPDX-License-Identifier: Apache-2.0
// JSON that others wrote: what is accepted is what JSON.parse accepts, and errors name a place in hutch's own words.
import { array, assert, constantFrom, jsonValue, nat, property } from 'fast-check'
import { expect, test } from 'vitest'
import { JsonError, parseJson } from '../../../src/text/json.ts'

const parseOf = (call: () => unknown) => {
  try {
    return { value: call() }
  } catch (error) {
    return error
  }
}

test.each([
  ['', 'line 1, column 1: unexpected end'],
  ['{', 'line 1, column 2: unexpected end'],
  ['[1,\n 2,\n x]', 'line 3, column 2: expected a value'],
  ['[1,]', 'line 1, column 4: expected a value'],
  ['{"a":1,}', 'line 1, column 8: expected a key in quotation marks'],
  ['{a:1}', 'line 1, column 2: expected a key in quotation marks'],
  ['{"a" 1}', 'line 1, column 6: expected a colon'],
  ['{"a"', 'line 1, column 5: unexpected end'],
  ['[1 2]', 'line 1, column 4: expected a comma or ]'],
  ['{"a":1 2}', 'line 1, column 8: expected a comma or }'],
  ['1 2', 'line 1, column 3: expected the end of the text'],
  ['01', 'line 1, column 2: expected the end of the text'],
  ['[-]', 'line 1, column 2: expected a value'],
  ['"a', 'line 1, column 1: a string has no end'],
  ['"a\\"', 'line 1, column 1: a string has no end'],
  ['"\\x"', 'line 1, column 2: an unknown escape in a string'],
  ['"\0"', 'line 1, column 2: a control character in a string'],
  ['\ufeff1', 'line 1, column 1: expected a value'],
  [`${'['.repeat(201)}${']'.repeat(201)}`, 'line 1, column 201: nested more than 200 levels deep'],
  [`${'{"a":'.repeat(10_000)}`, 'line 1, column 1001: nested more than 200 levels deep'],
  [`${' '.repeat(300_000)}x`, 'line 1, column 300001: an error follows, or more than 200 levels of nesting'],
])('an error says where and what: %#', (text, message) => {
  expect(parseOf(() => parseJson(text))).toEqual(new JsonError(message))
})

test('lists and objects may be 200 levels deep', () => {
  const text = `${'[{"a":'.repeat(100)}1${'}]'.repeat(100)}`
  expect(parseJson(text)).toEqual(JSON.parse(text))
})

test('a text that JSON.parse accepts gives the same value, and every other one an error with a place', () => {
  const pieces = array(
    constantFrom(...'[]{}:,"\\ \n\t\u0001x0-1.5eE+/', '"a"', '"\\u12aF"', '\\u', 'true', 'null', '12', '"\\\\"'),
    { maxLength: 12 },
  )
  const check = (text: string) => {
    const expected = parseOf(() => JSON.parse(text))
    const found = parseOf(() => parseJson(text))
    if (expected instanceof Error) expect(found).toBeInstanceOf(JsonError)
    else expect(found).toEqual(expected)
  }
  assert(
    property(pieces, (parts) => check(parts.join(''))),
    { numRuns: 20_000 },
  )
  // valid texts, with one character more, less or other
  const around = property(
    jsonValue(),
    nat(),
    constantFrom('', '"', ',', '{', ']', ' ', '\\', '0', '-'),
    (value, n, c) => {
      const text = JSON.stringify(value, null, n % 3)
      const at = n % (text.length + 1)
      for (const rest of [at, at + 1]) check(text.slice(0, at) + c + text.slice(rest))
    },
  )
  assert(around, { numRuns: 5000 })
})

test('whole numbers of 64 bits are kept exactly, outside of strings and fractions', () => {
  const text =
    '{"a":18446744073709551615,"b":"9223372036854775808, \\"9223372036854775808","c":[9007199254740993,1],' +
    '"d":0.1234567890123456789,"e":1234567890123456789e3,"f":-9007199254740993,"g":9223372036854775808}'
  expect(parseJson(text, { exact: true })).toEqual({
    ...JSON.parse(text),
    a: '18446744073709551615',
    c: ['9007199254740993', 1],
    g: '9223372036854775808',
  })
  expect(parseJson('9223372036854775808', { exact: true })).toBe('9223372036854775808')
  expect(parseOf(() => parseJson('[9223372036854775808', { exact: true }))).toEqual(
    new JsonError('line 1, column 21: unexpected end'),
  )
  expect(parseOf(() => parseJson('{9223372036854775808:1}', { exact: true }))).toBeInstanceOf(JsonError)
})

test('digits at the end of a string stay a part of it', () => {
  for (const value of ['x9223372036854775807', '9223372036854775807', ['1234567890123456', 'a', 1]])
    expect(parseJson(JSON.stringify(value), { exact: true })).toEqual(value)
})
