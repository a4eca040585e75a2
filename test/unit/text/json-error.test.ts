// SPDX-License-Identifier: Apache-2.0
// Where a text stops being JSON.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findJsonError } from '../../../src/text/json-error.ts'

test.each([
  ['', 'its end'],
  [' \n', 'its end'],
  ['{', 'its end'],
  ['[1, 2', 'its end'],
  ['{"a": 1,}', 'line 1, column 9'],
  ['[1,]', 'line 1, column 4'],
  ['{"a" 1}', 'line 1, column 6'],
  ['{a: 1}', 'line 1, column 2'],
  ['[01]', 'line 1, column 3'],
  ['[1 2]', 'line 1, column 4'],
  ['{\n  "a": tru\n}', 'line 2, column 8'],
  ['"open', 'its end'],
  ['["\\x"]', 'line 1, column 2'],
  ['["tab\there"]', 'line 1, column 2'],
  ['[]]', 'line 1, column 3'],
  ['[}', 'line 1, column 2'],
  ['{"a": 1} {', 'line 1, column 10'],
  ['\u001b[31m', 'line 1, column 1'],
])('%j is JSON up to %s', (text, place) => {
  expect(() => JSON.parse(text)).toThrow()
  expect(findJsonError(text)).toBe(place)
})

test('a text that JSON.parse takes has no place before its end, and one that it refuses has', () => {
  const piece = fc.constantFrom(...'{}[],:"\\ \n', '"a"', '1', '-0.5e3', 'true', 'null', 'u00e9', '0')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      if (isJson) expect(findJsonError(text)).toBe('its end')
      else if (findJsonError(text) !== 'its end') expect(() => JSON.parse(`${text}"]`)).toThrow()
    }),
    { numRuns: 3000 },
  )
})
