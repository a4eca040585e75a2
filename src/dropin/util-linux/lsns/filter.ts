// SPDX-License-Identifier: Apache-2.0
// Compiles filter expressions of scols-filter(5) to functions of a line's columns. Pure.
import { fail } from '../../../errors/errors.ts'
import { compileExtended } from './posix-regex.ts'

type Kind = 'integer' | 'float' | 'string' | 'boolean'

/** A value in a filter expression: that of a column, a literal, or the result of an operator. */
interface Value {
  kind: Kind
  from: 'column' | 'literal' | 'result'
  /** The value; undefined for an empty column. */
  is: number | string | boolean | undefined
}

/** Returns the value of a column in a line; undefined if the column is empty. */
type ReadColumn = (column: string) => string | undefined
type Node = (row: ReadColumn) => Value

/** Names and types of the columns. */
interface FilterColumns {
  [name: string]: 'integer' | 'string'
}

/** A compiled expression. */
export type RowFilter = (row: ReadColumn) => boolean

/** Compiles a filter expression (scols-filter(5)). @throws OPTION_INVALID */
export function parseFilter(text: string, columns: FilterColumns): RowFilter {
  const tokens = tokenize(text)
  if (tokens.length === 0) return () => true
  const parser = { text, tokens, at: 0, columns }
  const node = parseJoined(parser)
  if (parser.at < tokens.length) throw wrong(text, `${tokens[parser.at]!.text} is not expected there`)
  return (row) => isTrue(node(row))
}

interface Token {
  type: 'operator' | 'word' | 'number' | 'string'
  text: string
}

interface Parser {
  text: string
  tokens: Token[]
  at: number
  columns: FilterColumns
}

function wrong(text: string, why: string) {
  return fail('OPTION_INVALID', {
    name: '--filter',
    value: text,
    why,
    accepted: 'an expression as in scols-filter(5), such as \'TYPE == "net" and NPROCS > 1\'',
  })
}

const pattern =
  /\s+|(?<operator>&&|\|\||==|!=|>=|<=|=~|!~|[()<>!])|"(?<double>[^\n"]*)"|'(?<single>[^\n']*)'|(?<number>\d+(?:\.\d+|[KMGTPEZY](?:iB)?)?)|(?<word>[a-zA-Z][a-zA-Z_.%:/\-0-9]*)/y

const spelled: { [word: string]: string } = {
  and: '&&',
  or: '||',
  not: '!',
  eq: '==',
  ne: '!=',
  ge: '>=',
  le: '<=',
  gt: '>',
  lt: '<',
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  const scan = new RegExp(pattern)
  for (let at = 0; at < text.length; at = scan.lastIndex) {
    scan.lastIndex = at
    const groups = scan.exec(text)?.groups
    if (!groups) throw wrong(text, `${[...text.slice(at)][0]} means nothing there`)
    const { operator, double, single, number, word } = groups
    const quoted = double ?? single
    if (quoted !== undefined) tokens.push({ type: 'string', text: quoted })
    else if (number !== undefined) tokens.push({ type: 'number', text: number })
    else if (operator !== undefined) tokens.push({ type: 'operator', text: operator })
    else if (word !== undefined) tokens.push(readWord(word))
  }
  return tokens
}

function readWord(word: string): Token {
  const lower = word.toLowerCase()
  const isKeyword = (word === lower || word === word.toUpperCase()) && Object.hasOwn(spelled, lower)
  return isKeyword ? { type: 'operator', text: spelled[lower]! } : { type: 'word', text: word }
}

const isOperator = (parser: Parser, ...texts: string[]) => {
  const token = parser.tokens[parser.at]
  return token?.type === 'operator' && texts.includes(token.text)
}

/** Parses `and` and `or`, which have the same precedence and associate to the left, as in libsmartcols (its manual differs). */
function parseJoined(parser: Parser): Node {
  let left = parseCompared(parser)
  while (isOperator(parser, '&&', '||')) {
    const both = parser.tokens[parser.at++]!.text === '&&'
    const [a, b] = [left, parseCompared(parser)]
    left = (row) => result(both ? isTrue(a(row)) && isTrue(b(row)) : isTrue(a(row)) || isTrue(b(row)))
  }
  return left
}

function parseCompared(parser: Parser): Node {
  let left = parseSingle(parser)
  while (isOperator(parser, '==', '!=', '>=', '<=', '>', '<', '=~', '!~')) {
    const operator = parser.tokens[parser.at++]!.text
    const a = left
    if (operator === '=~' || operator === '!~') {
      const matches = parsePattern(parser)
      left = (row) => result(matches(a(row)) === (operator === '=~'))
    } else {
      const b = parseSingle(parser)
      left = (row) => result(compare(a(row), operator, b(row), parser.text))
    }
  }
  return left
}

function parsePattern(parser: Parser): (value: Value) => boolean {
  const token = parser.tokens[parser.at++]
  if (token?.type !== 'string') throw wrong(parser.text, 'a regular expression must be in quotes')
  const regex = compileExtended(token.text)
  if (typeof regex === 'string') throw wrong(parser.text, `${token.text}: ${regex}`)
  return ({ is }) => is !== undefined && regex.test(String(is))
}

function parseSingle(parser: Parser): Node {
  const { text, columns } = parser
  const token = parser.tokens[parser.at++]
  if (!token) throw wrong(text, 'it ends too soon')
  if (token.type === 'string') return literal('string', token.text)
  if (token.type === 'number') return readNumber(token.text)
  if (token.type === 'word') {
    if (/^(true|false|TRUE|FALSE)$/.test(token.text)) return literal('boolean', token.text.toLowerCase() === 'true')
    const name = token.text.toUpperCase()
    if (!Object.hasOwn(columns, name)) throw wrong(text, `there is no column ${token.text}`)
    const kind = columns[name]!
    return (row) => {
      const cell = row(name)
      return { kind, from: 'column', is: cell === undefined || kind === 'string' ? cell : Number(cell) }
    }
  }
  if (token.text === '!') {
    const inner = parseSingle(parser)
    return (row) => result(!isTrue(inner(row)))
  }
  if (token.text !== '(') throw wrong(text, `${token.text} is not expected there`)
  const inner = parseJoined(parser)
  if (!isOperator(parser, ')')) throw wrong(text, 'a ) is missing')
  parser.at++
  return inner
}

const result = (is: boolean): Value => ({ kind: 'boolean', from: 'result', is })
const literal = (kind: Kind, is: string | number | boolean): Node => {
  const value: Value = { kind, from: 'literal', is }
  return () => value
}

function readNumber(text: string): Node {
  if (text.includes('.')) return literal('float', Number(text))
  const [, digits = '', unit] = /^(\d+)(?:([KMGTPEZY])(?:iB)?)?$/.exec(text)!
  return literal('integer', Number(digits) * 1024 ** (unit === undefined ? 0 : 'KMGTPEZY'.indexOf(unit) + 1))
}

function isTrue({ is }: Value): boolean {
  return Boolean(is)
}

function compare(a: Value, operator: string, b: Value, text: string): boolean {
  const kind = commonKind(a, b)
  const [x, y] = [convert(a, kind, text), convert(b, kind, text)]
  if (x !== undefined && y !== undefined) return holds(operator, x, y)
  // an empty value, as in libsmartcols: it sorts before every text, equals 0 next to a fraction, and compares false with whole
  // numbers
  if (kind === 'float') return holds(operator, x ?? 0, y ?? 0)
  return kind === 'string' && holds(operator, Number(x !== undefined), Number(y !== undefined))
}

function holds(operator: string, x: string | number | boolean, y: string | number | boolean): boolean {
  if (operator === '==') return x === y
  if (operator === '!=') return x !== y
  if (operator === '>=') return x >= y
  if (operator === '<=') return x <= y
  return operator === '>' ? x > y : x < y
}

/** Returns the type by which two values are compared. The type of a literal takes precedence over that of a column. */
function commonKind(a: Value, b: Value): Kind {
  if (a.from === 'result' || b.from === 'result') return 'boolean'
  if (a.from !== b.from) return a.from === 'literal' ? a.kind : b.kind
  const order: Kind[] = ['boolean', 'string', 'float', 'integer']
  return order.find((kind) => a.kind === kind || b.kind === kind)!
}

function convert({ kind, is }: Value, to: Kind, text: string): string | number | boolean | undefined {
  if (is === undefined || kind === to) return is
  if (to === 'string') return String(is)
  if (to === 'boolean') return kind === 'string' ? is === 'true' || is === '1' : Boolean(is)
  if (typeof is !== 'string') return Number(is)
  if (!/^\d+(\.\d+)?$/.test(is)) throw wrong(text, `${is} is not a number`)
  return Number(is)
}
