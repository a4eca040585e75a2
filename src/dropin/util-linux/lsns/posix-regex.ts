// SPDX-License-Identifier: Apache-2.0
// Translates POSIX extended regular expressions, regex(7), to those of JavaScript. Pure.

const classes: { [name: string]: string } = {
  alpha: '\\p{L}',
  digit: '0-9',
  alnum: '\\p{L}\\p{Nd}',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  print: '\\P{C}',
  graph: '!-~',
  cntrl: '\\x00-\\x1f\\x7f',
  xdigit: '0-9A-Fa-f',
}

/** Compiles a POSIX regular expression. Returns it, or the error as text. */
export function compileExtended(text: string): RegExp | string {
  let out = ''
  const characters = [...text]
  for (let at = 0; at < characters.length; at++) {
    const c = characters[at]!
    if (c === '[') {
      const bracket = readBracket(characters, at)
      if (typeof bracket === 'string') return bracket
      out += bracket.source
      at = bracket.end
    } else if (c === '\\') {
      const next = characters[++at]
      if (next === undefined) return 'it ends with a backslash'
      out += escapeLiteral(next)
    } else if (c === '(' && characters[at + 1] === '?') return '( is followed by ?'
    else if (/[?+]/.test(c) && /[*?+}]/.test(characters[at - 1] ?? '')) return `${c} follows a repetition`
    else if (c === '{' && !/^\{\d+(,\d*)?\}/.test(characters.slice(at).join(''))) out += '\\{'
    else if (c === '}' && !/\{\d+(,\d*)?$/.test(characters.slice(0, at).join(''))) out += '\\}'
    else if (c === ']' || c === '/') out += `\\${c}`
    else out += c
  }
  try {
    return new RegExp(out, 'su')
  } catch {
    return 'not a regular expression'
  }
}

function escapeLiteral(c: string): string {
  return /^[\^$\\.*+?()[\]{}|/-]$/.test(c) ? (c === '-' ? c : `\\${c}`) : c
}

/** Reads a bracket expression of a POSIX regular expression. In it a backslash is an ordinary character, and `]` can come first. */
function readBracket(characters: readonly string[], start: number): { source: string; end: number } | string {
  let at = start + 1
  let source = '['
  if (characters[at] === '^') {
    source += '^'
    at++
  }
  for (const first = at; at < characters.length; at++) {
    const c = characters[at]!
    if (c === ']' && at > first) return { source: `${source}]`, end: at }
    if (c === '[' && characters[at + 1] === ':') {
      const [whole, name] = /^\[:([a-z]+):\]/.exec(characters.slice(at).join('')) ?? []
      if (whole === undefined || !Object.hasOwn(classes, name!)) return 'it has an unknown character class'
      source += classes[name!]
      at += whole.length - 1
    } else source += /[[\]\\^]/.test(c) ? `\\${c}` : c
  }
  return 'a ] is missing'
}
