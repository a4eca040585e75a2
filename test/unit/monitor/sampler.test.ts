// SPDX-License-Identifier: Apache-2.0
// Texts of kernel files → a group's figures, and figures → rates.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { legacyFiles, unifiedFiles } from '../../../src/monitor/files.ts'
import { rates } from '../../../src/monitor/rates.ts'
import { type Draft, emptyDraft, makeSample } from '../../../src/monitor/raw-sample.ts'
import type { GroupSample, Snapshot } from '../../../src/monitor/sample.ts'
import { findSources } from '../../../src/monitor/sources.ts'
import { asDecoded, decodeNames, encodePath } from '../../../src/text/non-utf8.ts'
import { hybrid, v1, v2 } from '../hosts.ts'

type Texts = { [controller: string]: { [file: string]: string | undefined } }

function take(files: typeof unifiedFiles, texts: Texts, draft: Draft = emptyDraft()): Draft {
  for (const [controller, named] of Object.entries(texts))
    for (const [file, text] of Object.entries(named)) files[controller]![file]!(draft, text)
  return draft
}

/** Only what is known. */
const known = (draft: Draft) => JSON.parse(JSON.stringify(makeSample(draft)))

const unified: Texts = {
  '': {
    'cgroup.events': 'populated 1\nfrozen 0\n',
    'cpu.stat':
      'usage_usec 3000\nuser_usec 1000\nsystem_usec 2000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\nnr_bursts 0\n',
    'cpu.pressure': 'some avg10=1.50 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=7\n',
    'memory.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  },
  cpu: {
    'cpu.max': '50000 100000\n',
    'cpu.stat': 'usage_usec 3000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\nnr_bursts 0\n',
  },
  memory: {
    'memory.current': '1000\n',
    'memory.max': 'max\n',
    'memory.high': '900\n',
    'memory.peak': '2000\n',
    'memory.swap.current': '30\n',
    'memory.swap.max': '0\n',
    'memory.swap.peak': '70\n',
    'memory.events': 'low 0\nhigh 8\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n',
    'memory.stat': 'anon 500\nfile 400\ninactive_anon 1\ninactive_file 150\n',
  },
  pids: { 'pids.current': '3\n', 'pids.max': '10\n', 'pids.events': 'max 6\n' },
  io: { 'io.stat': '8:16 \n8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n' },
}

test('the files of v2 become one sample', () => {
  expect(known(take(unifiedFiles, unified))).toEqual({
    populated: true,
    frozen: false,
    cpuUsec: 3000,
    userUsec: 1000,
    systemUsec: 2000,
    periods: 10,
    throttledPeriods: 4,
    throttledUsec: 5000,
    cpuMax: 0.5,
    memory: 1000,
    memoryMax: 'max',
    memoryHigh: 900,
    memoryHighEvents: 8,
    memoryPeak: 2000,
    workingSet: 850,
    anon: 500,
    file: 400,
    swap: 30,
    swapMax: 0,
    swapPeak: 70,
    oomKills: 2,
    pids: 3,
    pidsMax: 10,
    pidsRefused: 6,
    io: { '8:0': { readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 } },
    cpuPressure: { some: { avg10: 1.5, totalUsec: 77 }, full: { avg10: 0.25, totalUsec: 7 } },
    memoryPressure: { some: { avg10: 0, totalUsec: 0 } },
  })
})

test('a file that goes away takes its figures along, and no other', () => {
  const draft = take(unifiedFiles, unified)
  take(unifiedFiles, { memory: { 'memory.current': undefined }, io: { 'io.stat': undefined } }, draft)
  const { memory, workingSet, io, pids, anon } = makeSample(draft)
  expect({ memory, workingSet, io, pids, anon }).toEqual({ pids: 3, anon: 500 })
})

test("v1's files become the same, under v2's names", () => {
  const draft = take(legacyFiles, {
    memory: {
      'memory.usage_in_bytes': '1000\n',
      'memory.memsw.limit_in_bytes': '5000\n',
      'memory.limit_in_bytes': '4000\n',
      'memory.max_usage_in_bytes': '2000\n',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
      'memory.stat': 'cache 1\nrss 1\ntotal_cache 400\ntotal_rss 500\ntotal_swap 30\ntotal_inactive_file 150\n',
    },
    cpu: {
      'cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 5000000\n',
      'cpu.cfs_period_us': '100000\n',
      'cpu.cfs_quota_us': '50000\n',
    },
    cpuacct: { 'cpuacct.usage': '3000000\n', 'cpuacct.usage_user': '1000000\n', 'cpuacct.usage_sys': '2000000\n' },
    pids: { 'pids.current': '3\n', 'pids.max': 'max\n' },
    blkio: {
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\nTotal 3\n',
      'blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 4\n8:0 Total 7\nTotal 7\n',
    },
    freezer: { 'freezer.state': 'FROZEN\n' },
  })
  expect(known(draft)).toEqual({
    populated: true,
    frozen: true,
    cpuUsec: 3000,
    userUsec: 1000,
    systemUsec: 2000,
    periods: 10,
    throttledPeriods: 4,
    throttledUsec: 5000,
    cpuMax: 0.5,
    memory: 1000,
    memoryMax: 4000,
    memoryPeak: 2000,
    workingSet: 850,
    anon: 500,
    file: 400,
    swap: 30,
    swapMax: 1000,
    oomKills: 2,
    pids: 3,
    pidsMax: 'max',
    io: { '8:0': { readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 } },
  })
})

test('no limit on v1 is its greatest number, or -1', () => {
  const draft = take(legacyFiles, {
    memory: {
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.memsw.limit_in_bytes': '9223372036854771712\n',
    },
    cpu: { 'cpu.cfs_quota_us': '-1\n', 'cpu.cfs_period_us': '100000\n' },
  })
  expect(known(draft)).toEqual({ memoryMax: 'max', swapMax: 'max', cpuMax: 'max' })
})

test('on a hybrid host the v2 tree counts CPU time, and v1 what it limits', () => {
  const draft = take(unifiedFiles, {
    '': {
      'cpu.stat': 'usage_usec 3000\nuser_usec 1000\nsystem_usec 2000\n',
      'cgroup.events': 'populated 0\nfrozen 0\n',
    },
  })
  take(legacyFiles, { cpu: { 'cpu.stat': 'nr_periods 1\nnr_throttled 1\nthrottled_time 1000\n' } }, draft)
  take(unifiedFiles, { '': { 'cpu.stat': 'usage_usec 4000\nuser_usec 1000\nsystem_usec 3000\n' } }, draft)
  take(legacyFiles, { freezer: { 'freezer.state': 'FREEZING\n' }, pids: { 'pids.current': '1\n' } }, draft)
  expect(known(draft)).toEqual({
    populated: true,
    frozen: false,
    cpuUsec: 4000,
    userUsec: 1000,
    systemUsec: 3000,
    periods: 1,
    throttledPeriods: 1,
    throttledUsec: 1,
    pids: 1,
  })
})

test('each hierarchy is looked at once, and CPU time is counted in one', () => {
  const together = { mount: '/cg/cpu,cpuacct', own: '/cg/cpu,cpuacct' }
  const host = { ...hybrid, v1: { cpu: together, cpuacct: together, pids: hybrid.v1.pids! } }
  expect(
    findSources(host).map(({ mount, files, besideUnified }) => [mount, count(files), count(besideUnified)]),
  ).toEqual([
    ['/cg/unified', 5, 5],
    ['/cg/cpu,cpuacct', 6, 3],
    ['/cg/pids', 3, 3],
  ])
  expect(findSources(v2).map(({ mount }) => mount)).toEqual(['/cg'])
  expect(findSources(v1).some(({ unified }) => unified)).toBe(false)
})

const count = (files: object) => Object.keys(files).length

const sample = (values: Partial<GroupSample>): GroupSample => ({ ...makeSample(emptyDraft()), ...values })
const snapshot = (time: number, groups: { [path: string]: Partial<GroupSample> }): Snapshot => ({
  time,
  groups: new Map(Object.entries(groups).map(([path, values]) => [path, sample(values)])),
})
const device = (readBytes: number) => ({ readBytes, writtenBytes: 2 * readBytes, reads: 1, writes: 0 })
const stalled = (totalUsec: number) => ({ some: { avg10: 0, totalUsec } })

test('rates are by the second, for groups that were there before', () => {
  const before = snapshot(1000, {
    '/a': { cpuUsec: 1e6, userUsec: 1e6, systemUsec: 0, periods: 10, throttledPeriods: 0, oomKills: 1, io: {} },
    '/gone': { cpuUsec: 0 },
  })
  const after = snapshot(3000, {
    '/a': {
      cpuUsec: 4e6,
      userUsec: 3e6,
      systemUsec: 1e6,
      periods: 30,
      throttledPeriods: 5,
      oomKills: 3,
      io: { '8:0': device(1000), '8:16': device(1000) },
      cpuPressure: stalled(5),
    },
    '/new': { cpuUsec: 9e9 },
  })
  expect([...rates(before, after)]).toEqual([
    [
      '/a',
      {
        cpus: 1.5,
        userCpus: 1,
        systemCpus: 0.5,
        throttled: 0.25,
        readBytes: 1000,
        writtenBytes: 2000,
        reads: 1,
        writes: 0,
        oomKills: 2,
        cpuStalled: undefined,
        memoryStalled: undefined,
        ioStalled: undefined,
      },
    ],
  ])
})

test('a group that began anew under the same name has no rate, and a clock that stands gives none', () => {
  const before = snapshot(1000, { '/a': { cpuUsec: 1e6, cpuPressure: stalled(9e6) } })
  const after = snapshot(2000, { '/a': { cpuUsec: 10, cpuPressure: stalled(9.25e6) } })
  expect(rates(before, after).get('/a')).toMatchObject({ cpus: undefined, cpuStalled: 0.25 })
  expect(rates(before, { ...after, time: 1000 }).size).toBe(0)
})

test('names of any bytes are texts of their own, well-formed, and their bytes again', () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(...Buffer.from('a/�ffef\u{1f600}ä\xff'))),
    { maxLength: 30 },
  )
  const texts = new Map<string, string>()
  fc.assert(
    fc.property(bytes, (list) => {
      const name = Buffer.from(list)
      const text = decodeNames(name)
      expect(Buffer.from(encodePath(text)).equals(name)).toBe(true)
      expect(Buffer.from(text).toString()).toBe(text)
      expect(asDecoded(text)).toBe(text)
      expect(texts.get(text) ?? name.toString('hex')).toBe(name.toString('hex'))
      texts.set(text, name.toString('hex'))
    }),
    { numRuns: 3000 },
  )
  expect(decodeNames(Buffer.from('a\xc3\xa4\xff/\xe2\x98', 'latin1'))).toBe('aä\ufffdff/\ufffde2\ufffd98')
  // a slash, a NUL and a dot are never made of digits
  for (const text of ['\ufffd2f', '\ufffd00', '\ufffd2e', '\ufffdFF'])
    expect(Buffer.from(encodePath(text)).toString()).toBe(text)
  expect(encodePath('/plain/ä')).toBe('/plain/ä')
})
