// SPDX-License-Identifier: Apache-2.0
// lsns without a kernel: texts of the kernel, filters, tables.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFilter } from '../../../src/dropin/util-linux/lsns/filter.ts'
import { listNamespaces } from '../../../src/dropin/util-linux/lsns/lines.ts'
import { compileExtended } from '../../../src/dropin/util-linux/lsns/posix-regex.ts'
import {
  type Column,
  formatAligned,
  formatTableAsJson,
  formatTableRaw,
  type Line,
} from '../../../src/dropin/util-linux/lsns/table.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { parseNamespaceName, parseNsfsMounts, parseStat } from '../../../src/host/namespace-texts.ts'
import { decodeBytes } from '../../../src/text/stray-bytes.ts'
import { escapeAligned, escapeRaw } from '../../../src/text/table-cell.ts'

test('names of namespaces, and nothing else', () => {
  expect(parseNamespaceName('net:[4026531840]')).toEqual({ file: 'net', id: 4026531840 })
  expect(parseNamespaceName('time_for_children:[5]')).toEqual({ file: 'time', id: 5 })
  for (const text of ['', '/', 'net:[]', 'net:[1] ', 'net:[1]\n', '../net:[1]'])
    expect(parseNamespaceName(text)).toBeUndefined()
})

test('mounts of nsfs, with odd paths', () => {
  const text = [
    '1 2 0:4 net:[7] /run/two\\040words\\134 rw shared:1 - nsfs nsfs rw',
    '1 2 0:4 net:[8] /not - ext4 nsfs rw',
    '1 2 0:4 / / rw - nsfs nsfs rw',
    '',
  ].join('\n')
  expect(parseNsfsMounts(text)).toEqual([{ file: 'net', id: 7, path: Buffer.from('/run/two words\\') }])
})

test('a process may be called anything', () => {
  expect(parseStat(Buffer.from('12 (a) S 1 (b) c) S 34 0 0'))).toEqual({ comm: 'a) S 1 (b) c', ppid: 34 })
})

test('any bytes become text, and the same bytes again when they are escaped', () => {
  const bytesOf = (text: string) =>
    Buffer.from(
      text.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const raw = escapeRaw(decodeBytes(bytes))
      expect(raw).toMatch(/^[!-~]*$/)
      expect([...bytesOf(raw)]).toEqual([...bytes])
      // nothing reaches a terminal as a command
      expect(escapeAligned(decodeBytes(bytes), true)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
      expect(escapeAligned(decodeBytes(bytes), false)).toMatch(/^[ -~]*$/)
    }),
  )
})

const columns = { N: 'integer', S: 'string' } as const
const holds = (expression: string, row: { [name: string]: string | undefined } = { N: '5', S: 'net' }) =>
  parseFilter(expression, columns)((name) => row[name])

describe('filters', () => {
  test.for([
    ['', true],
    ['N == 5 and S == "net"', true],
    ["n==5 && s=='net'", true],
    ['N > 5', false],
    ['N >= 5 == true', true],
    ['NOT N', false],
    ['!(N == 4)', true],
    // not binds to the column
    ['!S == "net"', true],
    ['N < 1K', true],
    ['N == 5.0', true],
    ['N < "6"', true],
    ['N LT 4 OR N EQ 5 AND false', false],
    ['S =~ "^[[:alpha:]]{3}$"', true],
    ['S !~ "e"', false],
    ['S =~ "x|e"', true],
    ['"2" == 2', true],
  ] as const)('%s', ([expression, expected]) => expect(holds(expression)).toBe(expected))

  test('an empty column', () => {
    const nothing = { N: undefined, S: undefined }
    expect(
      ['N==0', 'N!=1', 'S==""', 'S!="a"', 'S<"a"', 'S=~"."', 'S!~"."', 'N', '!S'].filter((text) =>
        holds(text, nothing),
      ),
    ).toEqual(['S!="a"', 'S<"a"', 'S!~"."', '!S'])
  })

  test.for([
    '(',
    'N ==',
    'X',
    'N = 1',
    'N == -1',
    'S =~ N',
    'S =~ "("',
    'S == "a',
    'N N',
    'S == 1',
    'True',
    '5k',
    'S =~ "a(?=b)"',
  ])('%s is an error', (expression) =>
    expect(() => holds(expression)).toThrow(/invalid value .+ for --filter[\s\S]+remedy: /),
  )

  test('any text is understood or a HutchError', () => {
    const word = fc.constantFrom(
      'N',
      'S',
      '5',
      '"a"',
      '(',
      ')',
      '!',
      'and',
      '||',
      '==',
      '<',
      '=~',
      'true',
      '1.5',
      '3K',
      "'",
      '-',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
    )
    fc.assert(
      fc.property(text, (expression) => {
        try {
          expect(typeof holds(expression)).toBe('boolean')
        } catch (error) {
          if (!HutchError.is(error)) throw error
        }
      }),
    )
  })

  test('any regular expression is one, or a reason', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const regex = compileExtended(text)
        expect(typeof regex === 'string' || regex instanceof RegExp).toBe(true)
      }),
    )
    expect([...['[]a]', '[^]]', '[\\]'].map((text) => (compileExtended(text) as RegExp).test(']'))]).toEqual([
      true,
      false,
      false,
    ])
  })
})

test('a namespace that holds others has its place by number among those with processes', () => {
  const blank = { parent: 0, owner: 0, uid: 0, networkId: -2, mounts: [] }
  const process = { pid: 9, ppid: 1, uid: 0, comm: 'x', ids: new Map() }
  const user = (id: number, owner: number, processes = [process]) =>
    [id, { ...blank, id, file: 'user', parent: owner, owner, processes }] as const
  const byId = new Map([user(7, 2), user(5, 3), user(3, 1, []), user(2, 1, []), user(1, 0), user(4, 1)])
  const wanted = { files: ['user'], task: undefined, persistent: false }
  const shape = (placed: ReturnType<typeof listNamespaces>['roots']): unknown =>
    placed.map(({ subject, children }) => [subject.namespace.id, shape(children)])
  const list = (tree: 'none' | 'owner') =>
    shape(listNamespaces({ processes: [process], byId }, { ...wanted, tree }, () => true).roots)
  expect(list('owner')).toEqual([
    [
      1,
      [
        [2, [[7, []]]],
        [3, [[5, []]]],
        [4, []],
      ],
    ],
  ])
  expect(list('none')).toEqual([1, 4, 5, 7].map((id) => [id, []]))
})

describe('tables', () => {
  const shown: Column[] = [
    { name: 'ID', hint: 4, right: true, number: true },
    { name: 'WHERE', hint: 0 },
    { name: 'WHAT', hint: 0, cuts: true, tree: true },
  ]
  const leaf = (id: string, what: string): Line => ({ cells: [id, undefined, what], children: [] })
  const lines: Line[] = [
    {
      cells: ['1', ['/a', '/b c'], 'root'],
      children: [{ ...leaf('20', 'one'), children: [leaf('3', 'deep')] }, leaf('4', 'two\t')],
    },
  ]
  const paper = { headings: true, utf8: true }

  test('aligned, with a tree and several lines', () => {
    expect(`\n${formatAligned(shown, lines, paper)}`).toBe(`
ID WHERE WHAT
 1 /a    root
   /b c  │${' '}
20       ├─one
 3       │ └─deep
 4       └─two\\x09
`)
  })

  test('cut for a terminal, in ASCII, no narrower than headings', () => {
    expect(formatAligned(shown, lines, { ...paper, utf8: false, width: 3 })).toContain(' 3       | `-')
  })

  test('raw and JSON', () => {
    expect(
      formatTableRaw(
        shown,
        lines.map((line) => ({ ...line, children: [] })),
        paper,
      ),
    ).toBe('ID WHERE WHAT\n1 /a,/b\\x20c root\n')
    const { list } = JSON.parse(formatTableAsJson('list', shown, lines))
    expect(list).toEqual([
      {
        id: 1,
        where: '/a,/b c',
        what: 'root',
        children: [
          { id: 20, where: null, what: 'one', children: [{ id: 3, where: null, what: 'deep' }] },
          { id: 4, where: null, what: 'two\t' },
        ],
      },
    ])
    expect([formatAligned(shown, [], paper), formatTableRaw(shown, [], paper)]).toEqual(['', ''])
    expect(formatTableAsJson('list', shown, [])).toBe('{\n   "list": [\n\n   ]\n}\n')
  })
})
