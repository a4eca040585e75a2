// SPDX-License-Identifier: Apache-2.0
// Tells where a text stops being JSON, in words that do not depend on the engine that runs hutch. Pure.

type Expected = 'value' | 'first' | 'key' | 'colon' | 'end'

/** A word of JSON other than a string or a sign. */
const word = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** Returns the first place of a text at which JSON.parse fails, such as `line 2, column 5`, or `its end`. */
export function findJsonError(text: string): string {
  const open: string[] = []
  let expected: Expected = 'value'
  for (let at = skipBlanks(text, 0); at < text.length; at = skipBlanks(text, at)) {
    const sign = text[at]!
    const inside = open.at(-1)
    const end = endOf(text, at)
    if (end === undefined || !isExpected(sign, expected, inside)) return placeOf(text, at)
    at = end
    if (sign === '{' || sign === '[') {
      open.push(sign)
      expected = 'first'
    } else if (sign === ',') expected = inside === '{' ? 'key' : 'value'
    else if (sign === ':') expected = 'value'
    else if (sign === '}' || sign === ']') {
      open.pop()
      expected = 'end'
    } else expected = isKey(expected, inside) ? 'colon' : 'end'
  }
  return 'its end'
}

const isKey = (expected: Expected, inside: string | undefined) =>
  inside === '{' && (expected === 'key' || expected === 'first')

/** Returns whether a sign, or a value that begins with it, may be here. */
function isExpected(sign: string, expected: Expected, inside: string | undefined): boolean {
  if (sign === ':') return expected === 'colon'
  if (sign === ',') return expected === 'end' && inside !== undefined
  if (sign === '}' || sign === ']')
    return inside === (sign === '}' ? '{' : '[') && (expected === 'end' || expected === 'first')
  return isKey(expected, inside) ? sign === '"' : expected === 'value' || expected === 'first'
}

/** Returns the end of the sign, string or word at a place. Returns undefined if none begins there. */
function endOf(text: string, at: number): number | undefined {
  if ('{}[],:'.includes(text[at]!)) return at + 1
  if (text[at] === '"') return endOfString(text, at + 1)
  word.lastIndex = at
  return word.test(text) ? word.lastIndex : undefined
}

/** A loop, not an expression: an engine may need memory for each character that an expression repeats. */
function endOfString(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at++) {
    const character = text[at]!
    if (character === '"') return at + 1
    if (character < ' ') return undefined
    if (character === '\\' && !/^\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/.test(text.slice(at, at + 6))) return undefined
    if (character === '\\') at++
  }
  return text.length
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++
  return at
}

function placeOf(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`
}
