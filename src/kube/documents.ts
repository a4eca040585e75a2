// SPDX-License-Identifier: Apache-2.0
// Reads a manifest: one or several documents of YAML or JSON, with the line of each value. Pure. The YAML library is loaded only by commands
// of Kubernetes.
import {
  Composer,
  type CST,
  isCollection,
  isNode,
  LineCounter,
  Parser,
  type ScalarTag,
  type Tags,
  type YAMLError,
} from 'yaml'
import { quote } from '../text/quote.ts'

/** What is wrong with a manifest: an error that the API server reports, or a warning. */
export interface Problem {
  severity: 'error' | 'warning'
  /** Line of the value in the file, from 1. */
  line: number
  /** Path of the field, such as spec.containers[0].image. Empty for the whole document. */
  path: string
  what: string
  remedy: string
  /** Kind and name of the object. */
  object?: string
}

/** Keys and indexes from the top of a document to a value. */
export type FieldPath = readonly (string | number)[]

/** A document of a manifest. */
export interface ManifestDocument {
  value: unknown
  lineOf(path: FieldPath): number
  /** The text of a scalar in the file, such as 0644 for the number 420. */
  sourceOf(path: FieldPath): string | undefined
}

/** Formats a path as error messages of Kubernetes do. */
export function formatPath(path: FieldPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    if (/[.\s/\]]|^$/.test(part)) return `${text}[${part}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}

/** Maximum number of nodes that aliases of a document may stand for. */
const maxAliases = 1000

/** Maximum depth of lists and maps: the parser composes values recursively. */
const maxDepth = 250

/** Words that kubectl reads as truth values although YAML 1.2 does not: its parser is that of YAML 1.1. */
const truthWords = /^(?:[yn]|yes|no|on|off)$/i
const wholeNumber = /^[-+]?(?:0[0-7_]+|0b[01_]+|[1-9][0-9]*_[0-9_]*)$/

/** Numbers and truth values in the forms of YAML 1.1. */
const oldScalars: ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: truthWords,
    // a word in mixed case, such as oN, is a text
    resolve: (word) => (/^(?:[a-z]+|[A-Z][a-z]*|[A-Z]+)$/.test(word) ? /^(?:y|yes|on)$/i.test(word) : word),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: wholeNumber,
    resolve: (word) => {
      const [, sign, digits = ''] = /^([-+]?)(.*)$/.exec(word.replaceAll('_', ''))!
      const number = Number(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits)
      return sign === '-' ? -number : number
    },
  },
]

const options = {
  prettyErrors: false,
  uniqueKeys: true,
  merge: true,
  logLevel: 'error',
  version: '1.2',
  customTags: (tags: Tags) => [...oldScalars, ...tags],
} as const

/** Returns the documents of a manifest that are not empty, and the faults of its syntax. */
export function readDocuments(text: string): { documents: ManifestDocument[]; problems: Problem[] } {
  const problems = findBadCharacters(text)
  const documents: ManifestDocument[] = []
  if (problems.some(({ severity }) => severity === 'error')) return { documents, problems }
  for (const part of splitJson(text)) readPart(text.slice(part.start, part.end), part.line - 1, documents, problems)
  const template = problems.some(({ severity }) => severity === 'error') ? findTemplate(text) : undefined
  return template ? { documents: [], problems: [template] } : { documents, problems }
}

/** Reads a part of a file that begins after a number of lines. */
function readPart(text: string, before: number, documents: ManifestDocument[], problems: Problem[]): void {
  const lines = new LineCounter()
  const lineAt = (position: number) => before + lines.linePos(position).line
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const deep = tokens.find((token) => depthOf(token) > maxDepth)
  if (deep) {
    const what = `lists and maps are nested deeper than ${maxDepth} levels`
    problems.push({ severity: 'error', line: lineAt(deep.offset), path: '', what, remedy: 'give a manifest' })
    return
  }
  for (const document of new Composer(options).compose(tokens)) {
    // the first fault of a document causes most others
    const [error] = document.errors
    if (error) problems.push(describeFault(error, lineAt(error.pos[0])))
    if (error || document.contents === null) continue
    const refuse = (what: string, remedy: string) => {
      problems.push({ severity: 'error', line: lineAt(document.range?.[0] ?? 0), path: '', what, remedy })
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: maxAliases })
      const { hasCycle, hasMapAsKey } = inspectValue(value)
      if (hasCycle) refuse('an alias stands for a value that contains it', 'write the values instead of aliases')
      else if (hasMapAsKey) refuse('a map is the key of another map', 'put quotes around texts that begin with {')
      else if (value !== null) documents.push({ value, lineOf, sourceOf })
    } catch {
      refuse(
        `aliases stand for more than ${maxAliases} values, or name no anchor`,
        'write the values instead of aliases',
      )
    }
    function lineOf(path: FieldPath): number {
      for (let length = path.length; length >= 0; length--) {
        const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
        if (isNode(node) && node.range) return lineAt(node.range[0]) - (isBlock(node) ? 1 : 0)
      }
      return before + 1
    }
    function sourceOf(path: FieldPath): string | undefined {
      const node = path.length === 0 ? document.contents : document.getIn(path, true)
      return isNode(node) && 'source' in node && typeof node.source === 'string' ? node.source : undefined
    }
    /** A block begins on the line after its key. */
    function isBlock(node: unknown): boolean {
      return isCollection(node) && !node.flow && node !== document.contents && !node.srcToken?.type.startsWith('flow')
    }
  }
}

/** Returns how deep lists and maps within a token are nested. */
function depthOf(token: CST.Token): number {
  let deepest = 0
  const open: [token: CST.Token, depth: number][] = [[token, 0]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [inner, depth] = next
    deepest = Math.max(deepest, depth)
    if (inner.type === 'document' && inner.value) open.push([inner.value, depth])
    const items = 'items' in inner ? inner.items : []
    for (const { key, value } of items) for (const part of [key, value]) if (part) open.push([part, depth + 1])
  }
  return deepest
}

/** Reports characters that kubectl refuses, and those that stand for bytes of another encoding than UTF-8. */
function findBadCharacters(text: string): Problem[] {
  const at = text.search(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/)
  if (at < 0) return []
  const isOther = text[at] === '\ufffd' || text[at] === '\0'
  return [
    {
      severity: text[at] === '\ufffd' && !text.includes('\0') ? 'warning' : 'error',
      line: text.slice(0, at).split('\n').length,
      path: '',
      what: isOther ? 'the file is not in UTF-8' : `the file contains the control character ${quote(text[at])}`,
      remedy: isOther
        ? `convert it: iconv -f ${text.includes('\0') ? 'utf-16' : 'latin1'} -t utf-8 FILE`
        : 'remove it, or write it as an escape within double quotes',
    },
  ]
}

/** Returns the parts of a file: one for YAML, or each object of JSON objects in a row, as jq(1) prints them. */
function splitJson(text: string): { start: number; end: number; line: number }[] {
  const whole = [{ start: 0, end: text.length, line: 1 }]
  if (!/^\s*\{/.test(text)) return whole
  const parts: typeof whole = []
  let [depth, line, start, first] = [0, 1, 0, 1]
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}\n]|\S/gs)) {
    if (token === '{' && depth++ === 0) [start, first] = [index, line]
    else if (depth === 0 && token !== '\n') return whole
    if (token === '}' && --depth === 0) parts.push({ start, end: index + 1, line: first })
    line += token === '\n' ? 1 : token.split('\n').length - 1
  }
  return depth === 0 ? parts : whole
}

/** Finds the first line on which a value, or the whole line, begins with two braces. A manifest has such lines only within texts. */
function findTemplate(text: string): Problem | undefined {
  const at = text.search(/^(?:[^"'#\n]*[:-][ \t]+)?[ \t]*\{\{/m)
  if (at < 0) return undefined
  return {
    severity: 'error',
    line: text.slice(0, at).split('\n').length,
    path: '',
    what: 'the file is a template: {{ }} must be filled in first',
    remedy: 'helm template CHART | hutch kube explain -',
  }
}

/** Tells whether a list or map contains itself by an alias, and whether a map has another map as a key, as YAML reads {{ name }}. */
function inspectValue(value: unknown): { hasCycle: boolean; hasMapAsKey: boolean } {
  const found = { hasCycle: false, hasMapAsKey: false }
  const above = new Set<object>()
  const done = new Set<object>()
  const steps: { node: unknown; isEnd: boolean }[] = [{ node: value, isEnd: false }]
  for (let step = steps.pop(); step; step = steps.pop()) {
    const { node, isEnd } = step
    if (typeof node !== 'object' || node === null || (!isEnd && done.has(node))) continue
    if (isEnd) above.delete(node)
    else if (above.has(node)) found.hasCycle = true
    else {
      above.add(node)
      steps.push({ node, isEnd: true })
      for (const [key, inner] of Object.entries(node)) {
        found.hasMapAsKey ||= key.startsWith('{ ') && key.endsWith(' }')
        steps.push({ node: inner, isEnd: false })
      }
    }
    if (isEnd) done.add(node)
  }
  return found
}

const faults: { readonly [code in YAMLError['code']]?: readonly [what: string, remedy: string] } = {
  TAB_AS_INDENT: ['a tab is used for indentation', 'indent with spaces'],
  DUPLICATE_KEY: ['a key twice in one map', 'keep one of them'],
  BAD_INDENT: [
    'the indentation does not fit the lines above',
    'indent all keys of a map by the same number of spaces, and close each bracket',
  ],
  BLOCK_AS_IMPLICIT_KEY: ['a nested map begins within a line', 'put quotes around a text that contains ": "'],
  MISSING_CHAR: ['a character is missing, such as a closing quote or bracket', 'close each quote and bracket'],
  MULTILINE_IMPLICIT_KEY: ['a key has several lines', 'put a colon after the key, or quotes around the text'],
  UNEXPECTED_TOKEN: ['an unexpected token', 'put quotes around texts with special characters'],
}

function describeFault(error: YAMLError, line: number): Problem {
  const [what, remedy] = faults[error.code] ?? [error.message.split('\n')[0]!, 'correct the YAML there']
  return {
    severity: 'error',
    line,
    path: '',
    what: `not valid YAML: ${what}`,
    remedy,
  }
}
