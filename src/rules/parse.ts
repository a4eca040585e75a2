// SPDX-License-Identifier: Apache-2.0
// Parses rules in the format of cgrules.conf(5). Every error names the file and the line. Pure.
import { parseGroupPath } from '../cgroup/path.ts'
import { fail } from '../errors/errors.ts'
import type { GroupSection } from './config-file.ts'

/** Where a rule moves processes: one line with controllers and a destination path. */
export interface Destination {
  /** The controllers as written in the file, such as `cpu` and `memory`; `*` means all. */
  controllers: string[]
  /** The destination path: literal texts and template letters (`{ letter: 'u' }`). */
  path: (string | { letter: Letter })[]
  /** The template in cgconfig.conf that has the same path. */
  template?: GroupSection
  /** The position of the rule in the file, as `file:line`, for errors. */
  origin: string
}

/**
 * A template letter in a path, replaced by a property of the process: its user, group or process. Lower case stands for
 * the name, upper case for the number.
 */
export type Letter = 'u' | 'U' | 'g' | 'G' | 'p' | 'P'

/** A rule: the processes that it matches, and where they are moved. */
export interface Rule {
  who: { kind: 'any' } | { kind: 'user' | 'group'; name: string }
  /** The name or the full path of a program. A `*` at its end matches any text. */
  program?: string
  destinations: Destination[]
  /**
   * True for the option `ignore`: processes that are in the destination (anywhere, if it is `*`) stay there, and no
   * later rule is tried.
   */
  ignore: boolean
  /** True for the option `ignore_rt`: real-time processes are not moved. */
  ignoreRealtime: boolean
  origin: string
}

const maxRules = 10_000
const longestLine = 16_384

/** Parses all rules in the order of the file. `file` is the name used in errors. @throws RULES_INVALID, CGROUP_PATH_INVALID */
export function parseRules(text: string, file: string): Rule[] {
  const rules: Rule[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue
    const origin = `${file}:${index + 1}`
    const fields = splitFields(line, origin)
    if (fields.length === 0) continue
    if (rules.length >= maxRules) throw refuse(origin, line, `these are more than ${maxRules} rules`)
    if (fields.length < 3) throw refuse(origin, line, 'a rule has a user, controllers and a destination')
    if (fields.length > 4) throw refuse(origin, line, 'the line has extra words')
    const [who = '', controllers = '', path = '', options] = fields
    const destination = {
      controllers: parseControllers(controllers, origin),
      path: parseDestination(path, origin),
      origin,
    }
    if (who === '%') {
      const rule = rules.at(-1)
      if (!rule) throw refuse(origin, who, 'there is no rule before it to continue')
      if (options !== undefined) throw refuse(origin, options, 'options belong on the first line of a rule')
      rule.destinations.push(destination)
    } else {
      rules.push({ ...parseWho(who, origin), ...parseOptions(options, origin), destinations: [destination], origin })
    }
  }
  return rules
}

function refuse(origin: string, value: string, why: string) {
  return fail('RULES_INVALID', { origin, value, why })
}

/** Splits a line into fields at blanks. Blanks in quotes are kept, and an unquoted `#` begins a comment. */
function splitFields(line: string, origin: string): string[] {
  if (line.length > longestLine) throw refuse(origin, line, 'the line is too long')
  if (/[\0-\x08\x0b-\x1f\x7f]/.test(line.replace(/\r$/, '')))
    throw refuse(origin, line, 'it contains a control character')
  const fields: string[] = []
  let field: string | undefined
  let quoted = false
  for (const c of line.replace(/\r$/, '')) {
    if (c === '"') {
      quoted = !quoted
      field ??= ''
    } else if (!quoted && c === '#') break
    else if (!quoted && (c === ' ' || c === '\t')) {
      if (field !== undefined) fields.push(field)
      field = undefined
    } else field = (field ?? '') + c
  }
  if (quoted) throw refuse(origin, line, 'a quotation mark is not closed')
  if (field !== undefined) fields.push(field)
  return fields
}

/** Parses the processes of a rule: `user`, `@group` or `*`, each optionally followed by `:program`. */
export function parseWho(text: string, origin: string): Pick<Rule, 'who' | 'program'> {
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  const program = colon < 0 ? undefined : text.slice(colon + 1)
  if (name === '' || name === '@') throw refuse(origin, text, 'it names no user')
  if (program === '') throw refuse(origin, text, 'it names no program after the colon')
  const who: Rule['who'] =
    name === '*' ? { kind: 'any' } : name[0] === '@' ? { kind: 'group', name: name.slice(1) } : { kind: 'user', name }
  return program === undefined ? { who } : { who, program }
}

function parseControllers(text: string, origin: string): string[] {
  const names = text.split(',')
  for (const name of names)
    if (name !== '*' && !/^(name=)?[A-Za-z_][\w.-]{0,63}$/.test(name))
      throw refuse(origin, text, 'controllers are names with commas between them, or *')
  return names.includes('*') ? ['*'] : [...new Set(names)]
}

/**
 * Parses a destination path. `%u` and similar letters are templates, `\%` is a percent sign. The literal parts of the
 * path are checked here, the inserted values later.
 */
function parseDestination(text: string, origin: string): Destination['path'] {
  const path: Destination['path'] = []
  let literal = ''
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1] ?? ''
    if (text[at] === '\\' && (next === '%' || next === '\\')) {
      literal += next
      at++
    } else if (text[at] === '%' && /[uUgGpP]/.test(next)) {
      if (literal !== '') path.push(literal)
      path.push({ letter: next as Letter })
      literal = ''
      at++
    } else literal += text[at]
  }
  if (literal !== '') path.push(literal)
  parseGroupPath(path.map((part) => (typeof part === 'string' ? part : longestNumber)).join(''), origin)
  return path
}

/** The longest value of a template letter that stands for a number, for the check of the path's length. */
const longestNumber = '4294967295'

function parseOptions(text: string | undefined, origin: string): Pick<Rule, 'ignore' | 'ignoreRealtime'> {
  const words = text?.split(',') ?? []
  for (const word of words)
    if (word !== 'ignore' && word !== 'ignore_rt')
      throw refuse(origin, word, 'the options of a rule are ignore and ignore_rt')
  return { ignore: words.includes('ignore'), ignoreRealtime: words.includes('ignore_rt') }
}
