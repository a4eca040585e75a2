// SPDX-License-Identifier: Apache-2.0
// The dashboard's parts that need neither kernel nor browser: the past, marks, the map's boxes, streams that nobody reads.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { GroupRow, Mark } from '../../../src/ui/dashboard/api-types.ts'
import { makePageHistory, maxPageSamples } from '../../../src/ui/dashboard/history.ts'
import { makeMarks } from '../../../src/ui/dashboard/markers.ts'
import { innermost } from '../../../src/ui/dashboard/page/state.ts'
import { makeTreemap } from '../../../src/ui/dashboard/page/treemap.ts'
import { makeStreams } from '../../../src/ui/dashboard/sse.ts'

const rowsOf = (rows: { [path: string]: GroupRow }) => new Map(Object.entries(rows))

test('the past has every look, also those before anything happened, and what it was then', () => {
  const history = makePageHistory()
  const still = { memory: 4096, memoryMax: 'max' } as GroupRow
  for (let i = 1; i <= 3; i++) history.add(i * 1000, rowsOf({ '/a': still }))
  history.add(4000, rowsOf({ '/a': { ...still, memory: 8192, memoryMax: 16384 } }))
  const { times, tracks } = history.of('/a')
  expect(times).toEqual([1, 2, 3, 4])
  expect(tracks.memory).toEqual([4096, 4096, 4096, 8192])
  expect(tracks.memoryMax).toEqual([null, null, null, 16384])
  expect(tracks.cpus).toEqual([null, null, null, null])
})

test('the past is ten minutes, begins with the group, and ends with it', () => {
  const history = makePageHistory()
  for (let i = 0; i < maxPageSamples + 50; i++)
    history.add(
      i * 1000,
      rowsOf({ '/old': { pids: i }, '/still': still, ...(i >= maxPageSamples && { '/new': { pids: i } }) }),
    )
  expect(history.of('/old').times).toEqual(Array.from({ length: maxPageSamples }, (_, i) => i + 50))
  expect(history.of('/old').tracks.pids).toEqual(Array.from({ length: maxPageSamples }, (_, i) => i + 50))
  expect(history.of('/still').tracks.pids).toEqual(Array(maxPageSamples).fill(3))
  expect(history.of('/new').tracks.pids).toEqual(Array.from({ length: 50 }, (_, i) => maxPageSamples + i))
  history.add(maxPageSamples * 2000, rowsOf({}))
  expect(history.of('/old').times).toEqual([])
})

test('the past has shares as fine as they were told, and limits that come, change and go', () => {
  const history = makePageHistory()
  const limitAt = (i: number) => (i < 300 ? 0.5 : i < 620 ? 2 : 'max')
  const shareAt = (i: number) => (i % 3 === 0 ? undefined : (i % 10_001) / 10_000)
  for (let i = 0; i < maxPageSamples + 50; i++)
    history.add(i * 1000, rowsOf({ '/a': { cpus: i / 1000, cpuMax: limitAt(i), ioStalled: shareAt(i), throttled: 1 } }))
  const { times, tracks } = history.of('/a')
  expect(tracks.cpuMax).toEqual(times.map((i) => (limitAt(i) === 'max' ? null : limitAt(i))))
  expect(tracks.ioStalled).toEqual(times.map((i) => shareAt(i) ?? null))
  expect(tracks.cpus).toEqual(times.map((i) => Math.fround(i / 1000)))
  expect(new Set(tracks.throttled)).toEqual(new Set([1]))
})

test('where too many groups change, the past of the rest is what is known to be true', () => {
  const history = makePageHistory()
  const paths = Array.from({ length: 1501 }, (_, i) => `/g${i}`)
  for (let look = 0; look < 3; look++)
    history.add(look * 1000, new Map(paths.map((path) => [path, { pids: Math.min(look, 2), memory: look }])))
  expect(history.of('/g1').tracks.pids).toEqual([0, 1, 2])
  expect(history.of('/g1500').tracks.pids).toEqual([2])
})
const still: GroupRow = { pids: 3 }

test('a count is told once, by whichever source is first; what was before is no news', () => {
  const marks = makeMarks()
  const kinds = () => marks.fresh().map(({ kind, group, count }) => `${kind} ${group} ${count}`)
  const take = (time: number, rows: { [path: string]: GroupRow }, known: string[]) =>
    marks.take(time, rows, (path) => known.includes(path))
  take(0, { '/a': { oomKills: 7 } }, ['/a'])
  expect(kinds()).toEqual([])
  marks.report(500, '/a', 'oom', 8)
  take(1000, { '/a': { oomKills: 8 } }, ['/a'])
  expect(kinds()).toEqual(['oom /a 1'])
  take(2000, { '/a': { oomKills: 10 }, '/new': { oomKills: 1, pidsRefused: 2 } }, ['/a'])
  marks.report(2100, '/a', 'oom', 10)
  expect(kinds()).toEqual(['oom /a 2', 'oom /new 1', 'refused /new 2'])
  marks.forget(['/a'])
  take(3000, { '/a': { oomKills: 1 } }, [])
  expect(kinds()).toEqual(['oom /a 1'])
})

test('throttling is told when it begins, and again after ten seconds without', () => {
  const marks = makeMarks()
  for (const [second, throttled] of [0, 0.5, 0.5, 0, 0, 0.1, ...Array(11).fill(0), 0.2].entries())
    marks.take(second * 1000, { '/a': { throttled } }, () => true)
  expect(marks.fresh().map(({ at }) => at)).toEqual([1000, 17_000])
})

test('marks are kept up to a bound', () => {
  const marks = makeMarks()
  for (let i = 0; i < 2000; i++) marks.report(i, '/a', 'oom', i + 1)
  expect(marks.all.length).toBe(500)
  expect(marks.all.at(-1)).toMatchObject({ at: 1999, count: 1 })
})

test('of a kill that is counted all the way up, the innermost group is shown', () => {
  const mark = (id: number, group: string, at = 0): Mark => ({ id, at, group, kind: 'oom', count: 1 })
  expect(
    innermost([mark(1, '/'), mark(2, '/a'), mark(3, '/a/b'), mark(4, '/ab'), mark(5, '/a', 9000)]).map(({ id }) => id),
  ).toEqual([3, 4, 5])
})

const weightsOf = (list: readonly number[]) => new Map(list.map((weight, i) => [`g${i}`, weight]))

test('the boxes of a map fill it by weight, and none lies on another, also when an arrangement is kept', () => {
  const weights = fc.array(fc.double({ min: 0.01, max: 1000, noNaN: true }), { minLength: 1, maxLength: 40 })
  const side = fc.integer({ min: 10, max: 2000 })
  fc.assert(
    fc.property(weights, weights, side, side, (first, second, width, height) => {
      const treemap = makeTreemap()
      treemap.divide('/', weightsOf(first), 0, { x: 0, y: 0, width, height })
      const next = first.map((weight, i) => second[i] ?? weight)
      const boxes = [...treemap.divide('/', weightsOf(next), 0, { x: 0, y: 0, width, height })]
      const total = next.reduce((sum, weight) => sum + weight, 0)
      const slack = 1e-6 * width * height
      expect(boxes.length).toBe(next.length)
      for (const [i, [name, box]] of boxes.entries()) {
        const share = next[Number(name.slice(1))]! / total
        expect(Math.abs(box.width * box.height - share * width * height)).toBeLessThan(slack)
        expect(box.x + box.width).toBeLessThan(width + 1e-6 * width)
        expect(box.y + box.height).toBeLessThan(height + 1e-6 * height)
        for (const [, other] of boxes.slice(i + 1)) {
          const across = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x)
          const down = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y)
          expect(Math.max(0, across) * Math.max(0, down)).toBeLessThan(slack)
        }
      }
    }),
  )
})

test('a map leaves room for the use that belongs to no child, and has nothing for no weight', () => {
  const box = { x: 10, y: 20, width: 400, height: 300 }
  const [only] = makeTreemap()
    .divide('/', weightsOf([3]), 1, box)
    .values()
  expect(only!.width * only!.height).toBeCloseTo((400 * 300 * 3) / 4)
  expect([only!.x, only!.y]).toEqual([10, 20])
  expect(makeTreemap().divide('/', new Map(), 0, box).size).toBe(0)
})

test('boxes of a map keep their places while weights change, and are arranged again when they would be too narrow', () => {
  const box = { x: 0, y: 0, width: 900, height: 500 }
  const weights = [90, 80, 70, 60, 50, 40, 30, 20, 10]
  const swapped = [80, 90, 60, 70, 40, 50, 20, 30, 11]
  const treemap = makeTreemap()
  const places = (boxes: Map<string, { x: number; y: number }>) =>
    [...boxes].sort(([, a], [, b]) => a.x - b.x || a.y - b.y).map(([name]) => name)
  const before = places(treemap.divide('/', weightsOf(weights), 0, box))
  expect(places(treemap.divide('/', weightsOf(swapped), 0, box))).toEqual(before)
  // without the previous arrangement another order results
  expect(places(makeTreemap().divide('/', weightsOf(swapped), 0, box))).not.toEqual(before)
  const narrow = weightsOf([1, 1, 1, 1, 1, 1, 1, 500, 400])
  expect(treemap.divide('/', narrow, 0, box)).toEqual(makeTreemap().divide('/', narrow, 0, box))
  // other groups: another arrangement
  const more = weightsOf([...swapped, 25])
  expect(treemap.divide('/', more, 0, box)).toEqual(makeTreemap().divide('/', more, 0, box))
})

test('a stream that nobody reads holds a bounded amount, gets all there is once it is read, and is let go after a while', async () => {
  const big = 'x'.repeat(100_000)
  let alls = 0
  let now = 0
  const streams = makeStreams(
    () => ({ all: ++alls, big }),
    () => {},
    () => now,
  )
  const responses: import('node:http').ServerResponse[] = []
  const server = createServer((_, response) => {
    responses.push(response)
    streams.add(response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  while (responses.length === 0) await pause(5)
  for (let i = 0; i < 300; i++) {
    streams.send({ change: i, big })
    if (i % 20 === 0) await pause(1)
  }
  // 30 MB were to be sent
  expect(responses[0]!.writableLength).toBeLessThan(1_000_000)
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  socket.resume()
  while (!text.includes('"change":300,')) {
    streams.send({ change: 300, big })
    await pause(20)
  }
  const told = [...text.matchAll(/^data: \{"(all|change)":(\d+)/gm)].map(
    ([, kind, value]) => [kind, Number(value)] as const,
  )
  expect(told[0]).toEqual(['all', 1])
  expect(told.length).toBeLessThan(250)
  // whoever missed a change was told all before the next one
  for (const [i, [kind, value]] of told.entries())
    if (kind === 'change' && value < 300 && told[i - 1]![0] === 'change') expect(value).toBe(told[i - 1]![1] + 1)
  expect(told.some(([kind, value]) => kind === 'all' && value === 2)).toBe(true)
  socket.pause()
  // until the kernel takes no more
  for (let stuck = 0; stuck < 10; stuck = responses[0]!.writableLength > 0 ? stuck + 1 : 0) {
    streams.send({ change: 301, big })
    await pause(2)
  }
  now = 30_000
  streams.send({})
  await pause(5)
  expect(streams.size).toBe(1)
  now = 30_001
  streams.send({})
  while (streams.size > 0) await pause(5)
  server.close()
})
