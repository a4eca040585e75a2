// SPDX-License-Identifier: Apache-2.0
// Parses untrusted JSON with errors in hutch's own words, the same in each runtime. Pure.

/** Maximum depth of lists and objects in each other. */
const maxDepth = 200
/** Characters at the start of a text in which an error is searched for its position. */
const searched = 1 << 18

/** Says where a text is not JSON that hutch accepts, such as `line 1, column 7: a string has no end`. */
export class JsonError extends Error {}

/**
 * Parses JSON. With `exact`, whole numbers of 16 and more digits become strings of the same digits, because
 * JavaScript's numbers would round them.
 *
 * @throws JsonError
 */
export function parseJson(text: string, { exact = false } = {}): unknown {
  let value: unknown
  let failure: unknown
  try {
    value = JSON.parse(text)
    if (exact && /\d{16}/.test(text)) value = JSON.parse(quoteNumbers(text))
  } catch (error) {
    failure = error
  }
  if (failure === undefined && (hasFewBrackets(text) || isShallow(value, maxDepth))) return value
  const problem = findProblem(text)
  // without one, the runtime lacked memory
  throw problem ?? failure
}

/** Returns true if a text cannot be nested too deeply, which is faster to find out than the depth. */
function hasFewBrackets(text: string): boolean {
  return text.split('{').length + text.split('[').length - 2 <= maxDepth
}

/** Returns true if no list or object of the value is deeper than `depth`. */
function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  return Object.values(value).every((part) => isShallow(part, depth - 1))
}

/** Puts whole numbers of 16 and more digits into quotation marks. */
function quoteNumbers(text: string): string {
  const parts: string[] = []
  const long = /\d{16,}/g
  let copied = 0
  let string = text.indexOf('"')
  for (let found = long.exec(text); found; found = long.exec(text)) {
    const { index } = found
    let isInString = false
    while (string >= 0 && string < index) {
      const end = endOfString(text, string) ?? text.length
      isInString ||= end > index
      if (end > index) long.lastIndex = end
      string = text.indexOf('"', end + 1)
    }
    const end = index + found[0].length
    if (isInString || /[.eE+-]/.test(`${text.charAt(index - 1)}${text.charAt(end)}`)) continue
    parts.push(text.slice(copied, index), '"', found[0], '"')
    copied = end
  }
  return parts.join('') + text.slice(copied)
}

/** Returns the position of the quotation mark that ends a string. Returns undefined if the string has no end. */
function endOfString(text: string, start: number): number | undefined {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text[before - 1] === '\\') before--
    if ((end - before) % 2 === 0) return end
  }
  return undefined
}

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

function takeNumber(text: string, at: number): string {
  numberPattern.lastIndex = at
  return numberPattern.exec(text)?.[0] ?? ''
}

/** Finds the first place where a text is not JSON, or nested too deeply. */
function findProblem(text: string): JsonError | undefined {
  const open: string[] = []
  /** What may come next. A first value or key may also be the end of the list or object. A comma may also be an end. */
  let next: 'value' | 'first value' | 'key' | 'first key' | 'comma' = 'value'
  const refuse = (at: number, why: string) => {
    const before = text.slice(0, at).split('\n')
    return new JsonError(`line ${before.length}, column ${before.at(-1)!.length + 1}: ${why}`)
  }
  const skipSpace = (from: number) => {
    let at = from
    while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++
    return at
  }
  let at = skipSpace(0)
  for (; at < text.length; at = skipSpace(at)) {
    if (at > searched) return refuse(at, `an error follows, or more than ${maxDepth} levels of nesting`)
    const c = text[at]!
    const closing = open.at(-1) === '[' ? ']' : '}'
    if (c === closing && open.length > 0 && next !== 'value' && next !== 'key') {
      open.pop()
      next = 'comma'
      at++
    } else if (next === 'comma') {
      if (open.length === 0) return refuse(at, 'expected the end of the text')
      if (c !== ',') return refuse(at, `expected a comma or ${closing}`)
      next = closing === ']' ? 'value' : 'key'
      at++
    } else if (next === 'key' || next === 'first key') {
      if (c !== '"') return refuse(at, 'expected a key in quotation marks')
      const end = checkString(text, at)
      if (typeof end !== 'number') return refuse(...end)
      at = skipSpace(end)
      if (text[at] !== ':') return at < text.length ? refuse(at, 'expected a colon') : refuse(at, 'unexpected end')
      next = 'value'
      at++
    } else if (c === '[' || c === '{') {
      if (open.length === maxDepth) return refuse(at, `nested more than ${maxDepth} levels deep`)
      open.push(c)
      next = c === '[' ? 'first value' : 'first key'
      at++
    } else {
      const end = c === '"' ? checkString(text, at) : at + takeLiteral(text, at).length
      if (typeof end !== 'number') return refuse(...end)
      if (end === at) return refuse(at, 'expected a value')
      next = 'comma'
      at = end
    }
  }
  return next === 'comma' && open.length === 0 ? undefined : refuse(at, 'unexpected end')
}

function takeLiteral(text: string, at: number): string {
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, at)) return word
  return takeNumber(text, at)
}

/** Returns the position after a string, or the position of an error in the string, and its words. */
function checkString(text: string, start: number): number | [at: number, why: string] {
  const end = endOfString(text, start) ?? text.length
  const inside = text.slice(start + 1, end)
  const control = inside.search(/[\0-\x1f]/)
  if (control >= 0) return [start + 1 + control, 'a control character in a string']
  for (let at = inside.indexOf('\\'); at >= 0; at = inside.indexOf('\\', at + 2))
    if (!/^(?:["\\/bfnrt]|u[\da-fA-F]{4})/.test(inside.slice(at + 1, at + 6)))
      return [start + 1 + at, 'an unknown escape in a string']
  return end < text.length ? end + 1 : [start, 'a string has no end']
}
