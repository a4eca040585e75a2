// SPDX-License-Identifier: Apache-2.0
// Parses the file cgconfig.conf by the grammar of cgconfig.conf(5). Every error names the line. Pure.
import { parseFileName, parseGroupPath } from '../cgroup/path.ts'
import { fail, quote } from '../errors/errors.ts'

/** Owner and file modes of a `perm` section, as written in the file. */
export interface PermSection {
  uid?: string
  gid?: string
  fperm?: string
  dperm?: string
}

export interface Perm {
  task: PermSection
  admin: PermSection
}

/** A group or a template: its controllers in the order of the file, each with its settings. */
export interface GroupSection {
  path: string
  line: number
  perm?: Perm
  controllers: { name: string; line: number; settings: { file: string; value: string; line: number }[] }[]
}

/** The content of a cgconfig.conf file. */
export interface Configuration {
  groups: GroupSection[]
  templates: GroupSection[]
  mounts: { controller: string; directory: string; line: number }[]
  namespaces: { controller: string; path: string; line: number }[]
  defaultPerm?: Perm
  systemd?: { [key: string]: string }
}

interface Token {
  text: string
  kind: 'word' | 'string' | 'sign' | 'end'
  line: number
}

/** Parses the text of cgconfig.conf. @throws CONFIG_INVALID, CGROUP_PATH_INVALID, CGROUP_FILE_INVALID */
export function parseConfiguration(text: string, origin: string): Configuration {
  const reader: Reader = { text, at: 0, line: 1, origin }
  const configuration: Configuration = { groups: [], templates: [], mounts: [], namespaces: [] }
  while (peek(reader).kind !== 'end') readSection(reader, configuration)
  return configuration
}

/** The parser's state: the position after the next token, and its line. */
interface Reader {
  text: string
  at: number
  line: number
  next?: Token | undefined
  origin: string
}

/** Returns the next token. Tokens are read one by one: a list of all would need much memory. */
function peek(reader: Reader): Token {
  reader.next ??= readToken(reader)
  return reader.next
}

function advance(reader: Reader): void {
  reader.next = undefined
}

function refuse(reader: Reader, wanted: string, token = peek(reader)) {
  return invalid(reader.origin, token.line, token.kind === 'end' ? token.text : quote(token.text), wanted)
}

function takeSign(reader: Reader, sign: string): void {
  const token = peek(reader)
  if (token.kind !== 'sign' || token.text !== sign) throw refuse(reader, `"${sign}"`)
  advance(reader)
}

function takeText(reader: Reader, wanted: string): Token {
  const token = peek(reader)
  if (token.kind !== 'word' && token.kind !== 'string') throw refuse(reader, wanted)
  advance(reader)
  return token
}

/** Parses a block in braces. Calls `piece` for each entry in it. */
function takeBlock(reader: Reader, piece: () => void): void {
  takeSign(reader, '{')
  while (!(peek(reader).kind === 'sign' && peek(reader).text === '}')) piece()
  advance(reader)
}

/** Parses a setting, `name = value;`, whose name is already read. */
function takePair(reader: Reader, wanted: string): { name: Token; value: string } {
  const name = takeText(reader, wanted)
  takeSign(reader, '=')
  const value = takeText(reader, `a value for ${name.text}`)
  takeSign(reader, ';')
  return { name, value: value.text }
}

function readSection(reader: Reader, configuration: Configuration): void {
  const keyword = peek(reader)
  if (keyword.kind !== 'word') throw refuse(reader, sections)
  advance(reader)
  switch (keyword.text) {
    case 'group':
      configuration.groups.push(readGroup(reader, keyword.line))
      return
    case 'template':
      configuration.templates.push(readGroup(reader, keyword.line))
      return
    case 'mount':
      takeBlock(reader, () => {
        const { name, value } = takePair(reader, 'a controller')
        configuration.mounts.push({ controller: name.text, directory: value, line: name.line })
      })
      return
    case 'namespace':
      takeBlock(reader, () => {
        const { name, value } = takePair(reader, 'a controller')
        const path = parseGroupPath(value, `${reader.origin}:${name.line}`)
        configuration.namespaces.push({ controller: name.text, path, line: name.line })
      })
      return
    case 'default':
      takeBlock(reader, () => {
        const word = takeText(reader, '"perm"')
        if (word.text !== 'perm') throw refuse(reader, '"perm"', word)
        configuration.defaultPerm = readPerm(reader)
      })
      return
    case 'systemd':
      configuration.systemd = readSystemd(reader)
      return
    default:
      throw refuse(reader, sections, keyword)
  }
}

const sections = '"group", "template", "mount", "namespace", "default" or "systemd"'

function readGroup(reader: Reader, line: number): GroupSection {
  const name = takeText(reader, 'the name of a group')
  const origin = `${reader.origin}:${name.line}`
  // libcgroup writes the root group as "."; letters such as %u in a template's name are kept
  const path = name.text === '.' ? '' : parseGroupPath(name.text, origin)
  const group: GroupSection = { path, line, controllers: [] }
  takeBlock(reader, () => {
    const word = takeText(reader, '"perm", or a controller')
    if (word.text === 'perm' && word.kind === 'word') {
      group.perm = readPerm(reader)
      return
    }
    if (group.controllers.some((one) => one.name === word.text)) throw refuse(reader, 'each controller once', word)
    const settings: GroupSection['controllers'][number]['settings'] = []
    takeBlock(reader, () => {
      const pair = takePair(reader, `a file of ${word.text}`)
      const file = parseFileName(pair.name.text, `${reader.origin}:${pair.name.line}`)
      if (pair.value.includes('\0')) throw invalid(reader.origin, pair.name.line, 'a NUL in a value', 'text')
      settings.push({ file, value: pair.value, line: pair.name.line })
    })
    group.controllers.push({ name: word.text, line: word.line, settings })
  })
  return group
}

function readPerm(reader: Reader): Perm {
  const perm: Perm = { task: {}, admin: {} }
  takeBlock(reader, () => {
    const part = takeText(reader, '"task" or "admin"')
    if (part.text !== 'task' && part.text !== 'admin') throw refuse(reader, '"task" or "admin"', part)
    const { text } = part
    takeBlock(reader, () => {
      const { name, value } = takePair(reader, permKeys)
      // cgsnapshot of libcgroup 3 writes tuid and tgid for uid and gid
      const key = name.text.replace(/^t(?=[ug]id$)/, '')
      if (key !== 'uid' && key !== 'gid' && key !== 'fperm' && key !== 'dperm') throw refuse(reader, permKeys, name)
      perm[text][key] = value
    })
  })
  return perm
}

const permKeys = '"uid", "gid", "fperm" or "dperm"'

function readSystemd(reader: Reader): { [key: string]: string } {
  const settings: { [key: string]: string } = {}
  const line = peek(reader).line
  takeBlock(reader, () => {
    const { name, value } = takePair(reader, '"slice", "scope", "setdefault" or "pid"')
    const ending = { slice: /.\.slice$/, scope: /.\.scope$/, setdefault: /^(yes|no)$/, pid: /^\d+$/ }[name.text]
    if (!ending) throw refuse(reader, '"slice", "scope", "setdefault" or "pid"', name)
    if (!ending.test(value)) throw invalid(reader.origin, name.line, quote(value), `a value as ${String(ending)}`)
    settings[name.text] = value
  })
  if (settings.slice === undefined || settings.scope === undefined)
    throw invalid(reader.origin, line, 'a systemd section without both', 'slice = NAME.slice; scope = NAME.scope;')
  return settings
}

const tokenPattern = /([ \t\r\f\v]+|#[^\n]*)|(\n)|([{}=;])|([\w./@%,\\:*+-]+)/y

function readToken(reader: Reader): Token {
  const { text, origin } = reader
  while (reader.at < text.length) {
    const { at, line } = reader
    if (text[at] === '"') {
      const end = endOfString(text, at)
      if (end === undefined) throw invalid(origin, line, 'a quoted string without an end')
      const string = text.slice(at + 1, end)
      reader.line += string.split('\n').length - 1
      reader.at = end + 1
      return { text: string.replace(/\\(["\\])/g, '$1'), kind: 'string', line }
    }
    tokenPattern.lastIndex = at
    const match = tokenPattern.exec(text)
    if (!match) throw invalid(origin, line, `an unexpected character: ${quote(text[at])}`)
    const [all, , newline, sign, word] = match
    reader.at += all.length
    if (newline !== undefined) reader.line++
    if (sign !== undefined) return { text: sign, kind: 'sign', line }
    if (word !== undefined) return { text: word, kind: 'word', line }
  }
  return { text: 'the end of the file', kind: 'end', line: reader.line }
}

/** Returns the position of the quote that ends a string. A backslash escapes the next character. */
function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return undefined
}

function invalid(origin: string, line: number, found: string, wanted = 'what cgconfig.conf(5) allows') {
  return fail('CONFIG_INVALID', { origin, line, found, wanted })
}
