// SPDX-License-Identifier: Apache-2.0
// hutch top without a terminal: keys, lines, columns, sparklines, and what keys do; and names made fit for a terminal.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { holdsMyself } from '../../../src/cgroup/actions.ts'
import { nest } from '../../../src/cli/ps.ts'
import { parseProcess } from '../../../src/monitor/processes.ts'
import { rates } from '../../../src/monitor/rates.ts'
import { emptyDraft, makeSample } from '../../../src/monitor/raw-sample.ts'
import type { GroupSample, Snapshot } from '../../../src/monitor/sample.ts'
import { escapeUnsafe } from '../../../src/text/quote.ts'
import { widthOf } from '../../../src/text/table-cell.ts'
import { formatTable, pad, shortenPath, wrap } from '../../../src/text/terminal-text.ts'
import { parseKeys } from '../../../src/ui/terminal/keys.ts'
import { chooseColumns, columns, drawBar, shortSize } from '../../../src/ui/top/columns.ts'
import { drawSparkline, makeTopHistory } from '../../../src/ui/top/history.ts'
import { type Choice, makeRows } from '../../../src/ui/top/rows.ts'
import { type Actions, makeState, press } from '../../../src/ui/top/state.ts'
import { drawState } from '../../../src/ui/top/view.ts'
import { v2 } from '../hosts.ts'

const snapshot = (time: number, groups: { [path: string]: Partial<GroupSample> }): Snapshot => ({
  time,
  groups: new Map(Object.entries(groups).map(([path, values]) => [path, { ...makeSample(emptyDraft()), ...values }])),
})
const used = (cpuUsec: number): Partial<GroupSample> => ({ cpuUsec, populated: true })
const before = snapshot(0, { '/': used(0), '/a': used(0), '/a/x': used(0), '/a/y': used(0), '/b': used(0), '/c': {} })
const now = snapshot(1000, {
  '/': used(9e5),
  '/a': used(3e5),
  '/a/x': used(1e5),
  '/a/y': used(2e5),
  '/b': used(6e5),
  '/c': { populated: false },
})
const choice = (changes: Partial<Choice> = {}): Choice => ({ ...makeState('/').choice, ...changes })
const lines = (changes: Partial<Choice>) =>
  makeRows(before, now, choice(changes)).map(({ depth, name }) => `${depth} ${name}`)

test('a tree is sorted among brothers', () => {
  expect(lines({})).toEqual(['0 /', '1 b', '1 a', '2 y', '2 x'])
  expect(lines({ reverse: true })).toEqual(['0 /', '1 a', '2 x', '2 y', '1 b'])
  expect(lines({ sort: 'name', empty: true })).toEqual(['0 /', '1 a', '2 x', '2 y', '1 b', '1 c'])
})

test('what is folded, filtered or above the top is not shown, but what is above a match', () => {
  expect(lines({ folded: new Set(['/a']) })).toEqual(['0 /', '1 b', '1 a'])
  expect(lines({ filter: 'X' })).toEqual(['0 /', '1 a', '2 x'])
  expect(lines({ top: '/a' })).toEqual(['0 /a', '1 y', '1 x'])
  expect(lines({ top: '/a', filter: 'x' })).toEqual(['0 /a', '1 x'])
})

test('a container has its name beside a short id, and is found by it', () => {
  const id = 'a1b2'.repeat(16)
  const path = `/system.slice/docker-${id}.scope`
  const look = (time: number) => snapshot(time, { '/': used(time), '/system.slice': used(0), [path]: used(0) })
  const called = (one: string) => (one === path ? 'web' : undefined)
  const rows = (changes: Partial<Choice>) =>
    makeRows(look(0), look(1000), choice({ called, ...changes })).map(({ name }) => name)
  expect(rows({})).toEqual(['/', 'system.slice', 'docker-a1b2a1b2a1b2….scope (web)'])
  expect(rows({ tree: false }).at(-1)).toBe('/system.slice/docker-a1b2a1b2a1b2….scope (web)')
  expect(rows({ filter: 'WEB' })).toHaveLength(3)
  expect(rows({ filter: 'db' })).toEqual([])
  const state = makeState('/', called)
  state.mode = { kind: 'details', path }
  const shown = { before: look(0), now: look(1000), history: makeTopHistory() }
  const [title] = drawState(state, shown, { rows: 20, columns: 100, color: false })
  expect(title!.trimEnd()).toBe('/system.slice/docker-a1b2a1b2a1b2….scope (web)')
})

test('the details tell what memory.high slowed, where it is known', () => {
  const look = (time: number, figures: Partial<GroupSample>) => snapshot(time, { '/a': { memory: 1, ...figures } })
  const drawn = (then: Partial<GroupSample>, last: Partial<GroupSample>) => {
    const state = makeState('/')
    state.mode = { kind: 'details', path: '/a' }
    const shown = { before: look(0, then), now: look(1000, last), history: makeTopHistory() }
    return drawState(state, shown, { rows: 30, columns: 100, color: false }).find((line) => /slowed/.test(line))
  }
  expect(drawn({}, {})).toBeUndefined()
  const high = { memoryHigh: 2 ** 20 }
  expect(drawn({ ...high, memoryHighEvents: 4 }, { ...high, memoryHighEvents: 7 })?.trimEnd()).toBe(
    '  slowed at     1.0 MiB   memory.high, 7 times, 3 since the last sample',
  )
  // one below it was
  expect(drawn({}, { memoryHigh: 'max', memoryHighEvents: 7 })?.trimEnd()).toBe(
    '  slowed at     none   memory.high, 7 times',
  )
})

test('the details have a figure of memory only below memory, and a graph of each resource that tasks waited for', () => {
  const waited = (totalUsec: number) => ({ some: { avg10: 1, totalUsec } })
  const look = (time: number, usec: number) =>
    snapshot(time, {
      '/a': { memory: 1, workingSet: 1, cpuPressure: waited(0), memoryPressure: waited(usec), ioPressure: waited(0) },
    })
  const state = makeState('/')
  state.mode = { kind: 'details', path: '/a' }
  const history = makeTopHistory()
  const [first, second] = [look(0, 0), look(1000, 500_000)]
  history.add(second, rates(first, second))
  const shown = { before: first, now: second, history }
  const drawn = drawState(state, shown, { rows: 40, columns: 100, color: false })
  expect(drawn.filter((line) => line.startsWith('  needed'))).toHaveLength(1)
  const graphs = drawn.filter((line) => line.startsWith('stalled')).map((line) => line.trimEnd().at(-1))
  expect(graphs).toEqual(['▁', '█', '▁'])
})

test('a flat list has whole paths', () => {
  expect(lines({ tree: false })).toEqual(['0 /', '0 /b', '0 /a', '0 /a/y', '0 /a/x'])
})

test.each([
  ['\x1b[A', ['up']],
  ['\x1bOB', ['down']],
  ['\x1b', ['escape']],
  ['\x1bq', ['escape', 'q']],
  ['\x1b[5~\x1b[6~', ['pageup', 'pagedown']],
  ['\x1b[200~k\r\x1b[A\x1b[201~x', ['paste:k\r\x1b[A', 'x']],
  ['\x1b[<0;1;1M', []],
  ['aß☃😀', ['a', 'ß', '☃', '😀']],
  ['\r\x7f\x03\x1a\x0c\x00', ['enter', 'backspace', 'interrupt', 'suspend', 'redraw']],
] as const)('%j are the keys %j', (text, keys) => {
  expect(parseKeys(text)).toEqual(keys)
})

test('every column has a place in a wide terminal, and a narrow one keeps CPU', () => {
  expect(chooseColumns(200)).toEqual(Object.keys(columns).filter((name) => name !== 'name'))
  expect(chooseColumns(10)).toEqual(['cpu'])
  // the one that it is sorted by stays
  expect(chooseColumns(80)).not.toContain('oom')
  expect(chooseColumns(80, 'oom')).toContain('oom')
  expect(chooseColumns(10, 'pressure')).toEqual([])
})

/** What stands on a screen of this size when these keys were pressed. */
function screenOf(rows: number, columns: number, ...keys: string[]): string[] {
  const state = makeState('/')
  const shown = { before, now, history: makeTopHistory() }
  const draw = () => drawState(state, shown, { rows, columns, color: false }).map((line) => line.trimEnd())
  draw()
  for (const key of keys) {
    press(state, key, rows, now, record())
    draw()
  }
  return draw()
}

test('the way out is always in sight, and a question is never cut', () => {
  expect(screenOf(10, 30).at(-1)).toBe('? help  q quit  ⏎ details')
  expect(screenOf(10, 30, 'down', 'k').slice(-2)).toEqual(['kill all processes of /b, and', 'all below it? y/n'])
  expect(screenOf(50, 80, '?').at(-1)).toBe('any key goes back')
  expect(screenOf(9, 80, '?').at(-1)).toBe('↑↓ PgUp PgDn scroll, any other key goes back')
})

test('details and help that are longer than the screen can be scrolled, and the help goes back to where it was', () => {
  expect(screenOf(5, 80, 'enter')).toEqual([
    '/',
    '',
    expect.stringMatching(/^cpu /),
    expect.stringMatching(/^ {2}user /),
    expect.any(String),
  ])
  expect(screenOf(4, 80, 'enter', 'end', 'up', 'down')[2]).toMatch(/^ {2}in all/)
  expect(screenOf(9, 80, '?', 'pagedown', 'end').at(-2)).toMatch(/^OOM/)
  expect(screenOf(9, 80, 'enter', 'k', 'n', 'escape', 'down', '?', 'x')[0]).toMatch(/^hutch top/)
  expect(screenOf(9, 80, 'enter', '?', 'x')[0]).toBe('/')
})

test('every frame has the size of its terminal, whatever groups are called', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      fc.constantFrom(...[[], ['enter'], ['?'], ['k'], ['/', 'x'], ['l', 'm'], ['s', 's', 's', 's', 's', 's']]),
      (name, width, rows, keys) => {
        const odd = snapshot(0, { [`/${name}`]: { memory: 1, memoryMax: 2 ** 40, pids: 10 ** 9, pidsMax: 10 ** 9 } })
        const state = makeState('/')
        state.choice.tree = false
        const shown = { before: odd, now: odd, history: makeTopHistory() }
        const draw = () => drawState(state, shown, { rows, columns: width, color: false })
        draw()
        for (const key of keys) press(state, key, rows, odd, record())
        const frame = draw()
        expect(frame.length).toBe(rows)
        for (const line of frame) {
          const text = line.replace('\x1b[7m', '').replace('\x1b[0m', '')
          expect(text).not.toMatch(/\p{C}/u)
          expect(widthOf(text)).toBeLessThanOrEqual(width)
        }
      },
    ),
  )
})

test('bars and sparklines tell eighths apart', () => {
  expect([0, 0.5, 0.51, 1, 7].map((share) => drawBar(share, 4))).toEqual(['····', '██··', '██··', '████', '████'])
  expect(drawBar(0.53, 4)).toBe('██▏·')
  expect(drawSparkline([0, 1, 2, 4, Number.NaN, 8], 8)).toBe('  ▁▂▃▅ █')
  expect(drawSparkline([1], 1, 8)).toBe('▂')
  expect(drawSparkline([], 2)).toBe('  ')
  expect([0, 1023, 50 * 2 ** 20, 'max' as const, undefined].map(shortSize)).toEqual([
    '0B',
    '1023B',
    '50.0M',
    'max',
    '-',
  ])
})

test('the history has the last figures, oldest first, and forgets groups that went', () => {
  const history = makeTopHistory()
  history.add(now, rates(before, now))
  history.add(snapshot(2000, { '/a': { memory: 5 } }), new Map())
  expect(history.of('/a', 'cpu')).toEqual([0.3, Number.NaN])
  expect(history.of('/a', 'memory')).toEqual([Number.NaN, 5])
  expect(history.of('/b', 'cpu')).toEqual([])
  for (let i = 0; i < 300; i++) history.add(snapshot(i, { '/a': { memory: i } }), new Map())
  expect(history.of('/a', 'memory').slice(0, 2)).toEqual([180, 181])
  expect(history.of('/a', 'memory').length).toBe(120)
})

/** Notes what would be done. */
function record(): Actions & { done: string[] } {
  const done: string[] = []
  const note = async (said: string) => ({ done: done.push(said) > 0, said })
  return {
    done,
    holdsMyself: (path) => path === '/a',
    freeze: (path, frozen) => note(`freeze ${path} ${frozen}`),
    kill: (path) => note(`kill ${path}`),
    setLimit: (path, file, value) => note(`set ${path} ${file} ${value}`),
    run: (act) => void act(),
  }
}

function type(...keys: string[]) {
  const state = makeState('/')
  state.list = makeRows(before, now, state.choice)
  const actions = record()
  const ends = keys.map((key) => press(state, key, 10, now, actions))
  return { state, done: actions.done, end: ends.at(-1) }
}

test('nothing is done to a group without a y', () => {
  expect(type('down', 'k', 'n').done).toEqual([])
  expect(type('down', 'k', 'enter').done).toEqual([])
  expect(type('down', 'k', 'q', 'y').done).toEqual([])
  expect(type('down', 'k', 'y').done).toEqual(['kill /b'])
  expect(type('down', 'enter', 'f', 'y').done).toEqual(['freeze /b true'])
  expect(type('down', 'l', 'm', '5', '0', 'X', 'backspace', 'M', 'enter', 'n').done).toEqual([])
  expect(type('down', 'l', 'm', '5', '0', 'X', 'backspace', 'M', 'enter', 'y').done).toEqual(['set /b memory.max 50M'])
  expect(type('down', 'l', 'x', 'y').done).toEqual([])
  expect(type('down', 'l', 'm', 'enter', 'y').done).toEqual([])
  // what is pasted is text, where text is asked for, and nothing else
  expect(type('down', 'paste:ky', 'k', 'paste:y').done).toEqual([])
  expect(type('down', 'l', 'm', 'paste:50\r\nM', 'enter', 'y').done).toEqual(['set /b memory.max 50M'])
  // a group that is gone is not asked for
  const gone = makeState('/')
  gone.mode = { kind: 'details', path: '/gone' }
  press(gone, 'k', 10, now, record())
  expect([gone.mode.kind, gone.message]).toEqual(['details', '/gone is gone'])
})

test('the group that it is in is neither frozen nor killed', () => {
  const { state, done } = type('down', 'down', 'k', 'y', 'f', 'y')
  expect(done).toEqual([])
  expect(state.selected).toBe('/a')
  const host = { ...v2, unified: { mount: '/cg', own: '/cg/a/b' } }
  expect(['/', '/a', '/a/b', '/a/b/c', '/ab', '/b'].map((path) => holdsMyself(host, path))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ])
})

test('keys that are typed into a filter do nothing else, and Ctrl-C always ends', () => {
  const { state, end, done } = type('/', 'q', 'k', 'y')
  expect([state.choice.filter, end, done]).toEqual(['qky', undefined, []])
  expect(type('/', 'interrupt').end).toBe('quit')
  expect(type('down', 'k', 'interrupt').end).toBe('quit')
  expect(type('q').end).toBe('quit')
  expect(type('suspend').end).toBe('suspend')
})

test.each([
  ['plain-name.slice', 'plain-name.slice'],
  ['\x1b[31m\x07\x9b', '\\x1b[31m\\x07\\x9b'],
  ['a\u202eb\u200bc\ufeff', 'a\\u{202e}b\\u{200b}c\\u{feff}'],
  ['e\u0301\ud800', 'e\\u{301}\\u{d800}'],
  ['日本 ☃', '日本 ☃'],
])('%j is shown as %s', (name, shown) => {
  expect(escapeUnsafe(name)).toBe(shown)
})

test('cells are as wide as they should be, also of wide characters', () => {
  expect([pad('日本', 6), pad('日本', 3), pad('abc', 2), pad('abc', 5, true), pad('abc', 0)]).toEqual([
    '日本  ',
    '日…',
    'a…',
    '  abc',
    '',
  ])
  expect(
    formatTable(
      [
        ['A', 'B'],
        ['日本', '1'],
      ],
      { right: new Set([1]) },
    ),
  ).toEqual(['A      B', '日本   1'])
  expect([pad('a', -3), pad('𠀀', 3), pad('🇩🇪', 3)]).toEqual(['', '𠀀 ', '🇩🇪 '])
  const id = '0123456789abcdef'.repeat(4)
  const [, docker] = formatTable(
    [
      ['GROUP', 'CPU %'],
      [`/system.slice/docker-${id}.scope`, '1%'],
    ],
    { names: 0, width: 38 },
  )
  expect(docker).toBe('…/docker-0123456789ab….scope     1%')
  expect([
    shortenPath('/a/bc', 5),
    shortenPath('/kubepods/pod1/one', 12),
    shortenPath('日本日本日本', 9),
    shortenPath('abcdef', 3),
  ]).toEqual(['/a/bc', '…/pod1/one', '日…本日本', 'ab…'])
  expect(wrap('one two three  日本日本', 7)).toEqual(['one two', 'three ', '日本日', '本'])
})

test('a chain of processes of any length is a tree of a hundred levels', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => ({ pid: i + 2, parent: i + 1, children: [] }))
  let level = nest(chain as unknown as Parameters<typeof nest>[0])
  for (let depth = 1; depth < 100; depth++) {
    expect(level.map(({ pid }) => pid)).toEqual([depth + 1])
    level = level[0]!.children
  }
  const [last] = level
  expect([last!.children.length, last!.children.at(-1)!.children]).toEqual([20_000 - 100, []])
})

test('a process is what its files say, also with a name of brackets and blanks', () => {
  const stat = `7 (a) b (c) S 3 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 100 1000 200 18446744073709551615`
  const status = 'Name:\ta\nUid:\t0\t1000\t0\t0\nVmRSS:\t    800 kB\n'
  const known = { pid: 7, parent: 3, uid: 1000, state: 'S', threads: 4, resident: 819_200, cpuUsec: 2e6, kernel: false }
  expect(parseProcess(7, stat, status, 'sh\0-c\0a b\0')).toEqual({ ...known, command: 'sh -c a b' })
  expect(parseProcess(7, stat, status, '')).toEqual({ ...known, command: '[a) b (c]' })
  expect(parseProcess(7, undefined, status, '')).toBeUndefined()
  expect(parseProcess(7, stat, undefined, '')).toBeUndefined()
})
