// SPDX-License-Identifier: Apache-2.0
// Extracts what a person reads from sources and pages: comments, messages, paragraphs. Pure, except `readProse`.
// Used by the style test and by scripts/passages.ts.
import { readFileSync } from 'node:fs'

/** One passage: a comment block, a message, a paragraph, a list item or a table cell. */
export type Passage = {
  path: string
  /** The line of its first word, from 1. */
  line: number
  kind: 'comment' | 'string' | 'text'
  text: string
}

type Raw = Omit<Passage, 'path'>

/** A string is a message if it has four words in a row. */
const isMessage = (text: string) => /(?:^|[^\w$-])[A-Za-z]?[a-z']+,? [a-z']+,? [a-z']+,? [a-z']+/.test(text)

const lineAt = (source: string, index: number) => source.slice(0, index).split('\n').length

/** A regular expression literal can begin only after one of these. */
const beforeExpression = /(?:^|[=(,:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|await|yield))\s*$/

/** Returns the comments and strings of TypeScript or C. */
export function proseOfSource(source: string, language: 'ts' | 'c'): Raw[] {
  const found: Raw[] = []
  /** Depths of braces at which a template goes on. */
  const templates: { depth: number; start: number; text: string }[] = []
  let depth = 0
  let code = ''
  let index = 0
  const take = (kind: Raw['kind'], start: number, text: string) =>
    found.push({ kind, line: lineAt(source, start), text })
  const template = (start: number, before: string, from: number): number => {
    let text = before
    let at = from
    while (at < source.length) {
      const character = source[at]!
      if (character === '\\') {
        text += source[at + 1] === 'n' ? '\n' : (source[at + 1] ?? '')
        at += 2
      } else if (character === '`') {
        if (isMessage(text)) take('string', start, text)
        return at + 1
      } else if (character === '$' && source[at + 1] === '{') {
        templates.push({ depth, start, text: `${text}X` })
        return at + 2
      } else {
        text += character
        at++
      }
    }
    return at
  }
  while (index < source.length) {
    const character = source[index]!
    const two = source.slice(index, index + 2)
    if (two === '//') {
      const end = source.indexOf('\n', index)
      const text = source.slice(index + 2, end < 0 ? undefined : end)
      const line = lineAt(source, index)
      const last = found.at(-1)
      const alone = /(?:^|\n)\s*$/.test(source.slice(0, index))
      if (alone && last?.kind === 'comment' && last.line + last.text.split('\n').length === line && /\n\s*$/.test(code))
        last.text += `\n${text}`
      else found.push({ kind: 'comment', line, text })
      index = end < 0 ? source.length : end
      code = '\n'
    } else if (two === '/*') {
      const end = source.indexOf('*/', index)
      const text = source
        .slice(index + 2, end)
        .replace(/^\*/, '')
        .replace(/^\s*\*(?= |$)/gm, '')
      take('comment', index, text)
      index = end + 2
    } else if (character === "'" || character === '"') {
      let at = index + 1
      let text = ''
      while (at < source.length && source[at] !== character && source[at] !== '\n') {
        if (source[at] === '\\') {
          text += source[at + 1] === 'n' ? '\n' : (source[at + 1] ?? '')
          at += 2
        } else text += source[at++]
      }
      const joined = language === 'c' ? found.at(-1) : undefined
      if (joined?.kind === 'string' && /^\s*$/.test(code)) joined.text += text
      else if (isMessage(text)) take('string', index, text)
      index = at + 1
      code = isMessage(text) || joined?.kind === 'string' ? '' : 'x'
    } else if (language === 'ts' && character === '`') {
      index = template(index, '', index + 1)
      code = source[index - 1] === '{' ? '' : 'x'
    } else if (language === 'ts' && character === '}' && templates.at(-1)?.depth === depth) {
      const open = templates.pop()!
      index = template(open.start, open.text, index + 1)
      code = source[index - 1] === '{' ? '' : 'x'
    } else if (language === 'ts' && character === '/' && beforeExpression.test(code)) {
      let at = index + 1
      let set = false
      while (at < source.length && (set || source[at] !== '/') && source[at] !== '\n') {
        if (source[at] === '\\') at++
        else if (source[at] === '[') set = true
        else if (source[at] === ']') set = false
        at++
      }
      index = at + 1
      code = 'x'
    } else {
      if (character === '{') depth++
      if (character === '}') depth--
      code = (code + character).slice(-40)
      index++
    }
  }
  return found
}

/** Returns the paragraphs, list items and table cells of a page, without code. */
export function proseOfPage(page: string): Raw[] {
  const found: Raw[] = []
  let inCode = false
  let open: Raw | undefined
  page.split('\n').forEach((text, index) => {
    if (/^\s*```/.test(text)) inCode = !inCode
    const isTable = /^\s*\|/.test(text)
    if (inCode || /^\s*```/.test(text) || /^( {4}|\t)/.test(text) || text.trim() === '' || isTable || /^#/.test(text)) {
      open = undefined
      if (isTable && !/^[\s|:-]+$/.test(text))
        for (const cell of text.split(/(?<!\\)\|/))
          if (cell.trim() !== '') found.push({ kind: 'text', line: index + 1, text: cell.trim() })
      return
    }
    if (open && !/^\s*(?:[-*]|\d+\.) /.test(text)) open.text += `\n${text}`
    else {
      open = { kind: 'text', line: index + 1, text }
      found.push(open)
    }
  })
  return found
}

/** Reads a file's passages. */
export function readProse(path: string): Passage[] {
  const source = readFileSync(path, 'utf8')
  const raw = path.endsWith('.md') ? proseOfPage(source) : proseOfSource(source, path.endsWith('.ts') ? 'ts' : 'c')
  return raw.map((passage) => ({ path, ...passage }))
}

/** Splits a passage into sentences. Code, paths and links count as one word; an example block is left out. */
export function sentencesOf(text: string): string[] {
  return text
    .replace(/@example[\s\S]*/, '')
    .replace(/^.*SPDX-License-Identifier.*$/gm, '')
    .replace(/^.*[─▶].*$/gm, '')
    .replace(/\n(?=.*\S {2,}\S)/g, '\n\n')
    .replace(/@throws (?:[A-Z_*]+,? ?\n?\s*)+/g, '@throws ')
    .replace(/```[\s\S]*?```/g, '')
    .replace(/`[^`]*`/g, 'CODE')
    .replace(/CODE(?:(?:,|,? and|,? or) CODE)+/g, 'CODE')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^ {3,}\S.*$/gm, '')
    .replace(/^@\w+/gm, '')
    .split(/(?<=[.!?]["')*_]*)\s+(?=["'(*_]*[\p{L}\d^/-])|\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\s*@)/u)
    .map((sentence) => sentence.replace(/\s+/g, ' ').trim())
    .filter((sentence) => sentence !== '')
}

/** Counts the words of a sentence. */
export const wordCount = (sentence: string) => sentence.split(' ').filter((word) => /[\p{L}\d]/u.test(word)).length
