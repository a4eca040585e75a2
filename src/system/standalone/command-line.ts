// SPDX-License-Identifier: Apache-2.0
// Implements ../command-line.ts without Node: the tokens of parseArgs, which is all that hutch reads.

interface Settings {
  args: string[]
  options: { [name: string]: { type: 'string' | 'boolean'; short?: string } }
}

type Token =
  | {
      kind: 'option'
      name: string
      rawName: string
      index: number
      value: string | undefined
      inlineValue: boolean | undefined
    }
  | { kind: 'positional'; index: number; value: string }
  | { kind: 'option-terminator'; index: number }

/** Splits a command line as node:util does. */
export function parseArgs({ args, options }: Settings): { tokens: Token[] } {
  const tokens: Token[] = []
  const rest = [...args]
  const nameOf = (short: string) => Object.entries(options).find(([, one]) => one.short === short)?.[0] ?? short
  const takesValue = (name: string) => Object.hasOwn(options, name) && options[name]!.type === 'string'
  let index = -1
  let expanded = 0
  const push = (name: string, rawName: string, inline?: string) => {
    const follows = inline === undefined && takesValue(name) && rest.length > 0
    const value = follows ? rest.shift() : inline
    tokens.push({
      kind: 'option',
      name,
      rawName,
      index,
      value,
      inlineValue: value === undefined ? undefined : !follows,
    })
    if (follows) index++
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (expanded > 0) expanded--
    else index++
    if (word === '--') {
      tokens.push({ kind: 'option-terminator', index })
      for (const value of rest) tokens.push({ kind: 'positional', index: ++index, value })
      break
    }
    const isLong = word.length > 2 && word.startsWith('--')
    const isShort = word.length > 1 && word.startsWith('-') && !word.startsWith('--')
    const equals = word.indexOf('=', 3)
    if (isLong && equals < 0) push(word.slice(2), word)
    else if (isLong) push(word.slice(2, equals), word.slice(0, equals), word.slice(equals + 1))
    else if (isShort && word.length === 2) push(nameOf(word[1]!), word)
    else if (isShort && takesValue(nameOf(word[1]!))) push(nameOf(word[1]!), word.slice(0, 2), word.slice(2))
    else if (isShort) {
      const words = splitGroup(word, (short) => takesValue(nameOf(short)))
      rest.unshift(...words)
      expanded = words.length
    } else tokens.push({ kind: 'positional', index, value: word })
  }
  return { tokens }
}

/** Splits `-abc` into `-a`, `-b`, `-c`. The first option with a value takes the rest. */
function splitGroup(word: string, takesValue: (short: string) => boolean): string[] {
  const words: string[] = []
  for (let i = 1; i < word.length; i++) {
    if (takesValue(word[i]!) && i < word.length - 1) return [...words, `-${word.slice(i)}`]
    words.push(`-${word[i]}`)
  }
  return words
}
