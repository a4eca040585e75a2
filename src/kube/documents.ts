// SPDX-License-Identifier: Apache-2.0
// Reads a manifest: one or several documents of YAML or JSON, with the line of each value. Pure. The YAML library is loaded only by commands
// of Kubernetes.
import { isCollection, isNode, LineCounter, parseAllDocuments, type YAMLError } from 'yaml'

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

/** Returns the documents of a manifest that are not empty, and the faults of its syntax. */
export function readDocuments(text: string): { documents: ManifestDocument[]; problems: Problem[] } {
  const lines = new LineCounter()
  const problems: Problem[] = []
  const documents: ManifestDocument[] = []
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'error',
    version: '1.2',
  })
  for (const document of Array.isArray(parsed) ? parsed : []) {
    for (const error of document.errors) problems.push(describeFault(error, lines))
    if (document.errors.length > 0 || document.contents === null) continue
    try {
      const value: unknown = document.toJS({ maxAliasCount: maxAliases })
      if (value === null) continue
      documents.push({ value, lineOf: (path) => lineOf(path) })
    } catch {
      problems.push({
        severity: 'error',
        line: lines.linePos(document.range?.[0] ?? 0).line,
        path: '',
        what: `aliases stand for more than ${maxAliases} values, or name no anchor`,
        remedy: 'write the values instead of aliases',
      })
    }
    function lineOf(path: FieldPath): number {
      for (let length = path.length; length >= 0; length--) {
        const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line - (isBlock(node) ? 1 : 0)
      }
      return 1
    }
    /** A block begins on the line after its key. */
    function isBlock(node: unknown): boolean {
      return isCollection(node) && !node.flow && node !== document.contents && !node.srcToken?.type.startsWith('flow')
    }
  }
  return { documents, problems }
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

function describeFault(error: YAMLError, lines: LineCounter): Problem {
  const [what, remedy] = faults[error.code] ?? [error.message.split('\n')[0]!, 'correct the YAML there']
  return {
    severity: 'error',
    line: lines.linePos(error.pos[0]).line,
    path: '',
    what: `not valid YAML: ${what}`,
    remedy,
  }
}
