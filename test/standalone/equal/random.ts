// SPDX-License-Identifier: Apache-2.0
// Random input for both hosts of hutch: the same numbers from the same seed in each engine. Pure.

/** A source of random numbers and of what is made of them. */
export interface Random {
  /** Returns a whole number from 0 to below the count. */
  below(count: number): number
  pick<T>(list: readonly T[]): T
  /** Returns true in one of so many cases. */
  once(cases: number): boolean
  /** Returns a list of up to so many, each made by the function. */
  list<T>(most: number, make: () => T): T[]
}

/** Opens a source (mulberry32). */
export function openRandom(seed: number): Random {
  let state = seed | 0
  const below = (count: number) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * count)
  }
  return {
    below,
    pick: (list) => list[below(list.length)]!,
    once: (cases) => below(cases) === 0,
    list: (most, make) => Array.from({ length: below(most + 1) }, make),
  }
}

/** Numbers at which formats, parsers and engines have their limits. */
export const edgeNumbers = [
  ...['0', '1', '-1', '7', '42', '1000', '0.5', '1.5', '1e3', '1e21', '0x10', '007', '65535', '65536', '4294967295'],
  ...['4294967296', '9007199254740991', '9007199254740993', '9223372036854775807', '9223372036854775808'],
  ...['18446744073709551615', '18446744073709551616', '1e400', 'NaN', 'Infinity', '-0', '٣', '1_000', ' 1', '1 ', '+1'],
]

/** Words that are wrong, hostile or foreign nearly everywhere. */
export const oddWords = [
  ...[
    '',
    ' ',
    '-',
    '--',
    ':',
    ',',
    '=',
    '/',
    '..',
    '.',
    'max',
    'none',
    'all',
    'a',
    'ä',
    '日本語',
    '😀',
    '\ud800',
    '\udfff x',
  ],
  ...[
    '\n',
    '\t',
    '\0',
    '\x1b[31m',
    '\u202e',
    '\ufeff',
    '\u2028',
    'İ',
    'ß',
    'ſ',
    'K',
    '__proto__',
    'constructor',
    'toString',
  ],
  ...[
    'a b',
    "a'b",
    'a"b',
    'a\\b',
    '$HOME',
    '%s',
    '*',
    '?',
    '[',
    '(',
    'x'.repeat(300),
    'é',
    'e\u0301',
    '\u200b',
    '\x7f',
    '\x80',
  ],
]

const alphabet = 'abcxyzABC019 _-=:,./{}[]"\'\\#*%@\n\t'

/** Returns a text of random characters, some of them beyond ASCII. */
export function randomText(random: Random, most = 12): string {
  return random
    .list(most, () =>
      random.once(8)
        ? String.fromCharCode(random.below(0x10000))
        : random.once(12)
          ? random.pick(oddWords)
          : alphabet[random.below(alphabet.length)]!,
    )
    .join('')
}

/** Returns the text as it is, or with up to three small changes: cut off, doubled, swapped, or with other characters. */
export function changed(random: Random, text: string): string {
  let now = text
  if (random.once(2)) return now
  for (let times = random.below(4); times > 0; times--) {
    const [from, to] = [random.below(now.length + 1), random.below(now.length + 1)].sort((a, b) => a - b) as [
      number,
      number,
    ]
    const middle = now.slice(from, Math.min(to, from + 40))
    now =
      now.slice(0, from) +
      random.pick([
        () => '',
        () => middle + middle,
        () => randomText(random, 4),
        () => random.pick(edgeNumbers),
        () => random.pick(oddWords) + middle,
        () => [...middle].reverse().join(''),
      ])() +
      now.slice(from + middle.length)
  }
  return now
}

/** Returns a random JSON value. `keys` and `words` are those that a reader may know. */
export function randomJson(random: Random, keys: readonly string[], words: readonly string[], depth = 4): unknown {
  switch (random.below(depth > 0 ? 9 : 6)) {
    case 0:
      return random.pick([null, true, false])
    case 1:
      return Number(random.pick(edgeNumbers)) || random.below(1000)
    case 2:
      return random.pick(oddWords)
    case 3:
      return randomText(random)
    case 4:
    case 5:
      return random.pick(words)
    case 6:
      return random.list(4, () => randomJson(random, keys, words, depth - 1))
    default:
      return Object.fromEntries(
        random.list(6, () => [
          random.once(6) ? random.pick(oddWords) : random.pick(keys),
          randomJson(random, keys, words, depth - 1),
        ]),
      )
  }
}
