// SPDX-License-Identifier: Apache-2.0
// Capabilities, users and groups in a plan.
import { array, assert, constantFrom, integer, property, record, string } from 'fast-check'
import { expect, test } from 'vitest'
import {
  capabilitiesOf,
  capabilityMask,
  chooseCapabilities,
  missingSince,
  parseCapability,
  parseCapabilityMask,
} from '../../../src/credentials/capability.ts'
import { parseIoPriority, parseScheduler, parseWhole } from '../../../src/credentials/priority.ts'
import { parseResourceLimit } from '../../../src/credentials/rlimit.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { parseSubordinate } from '../../../src/host/privileges.ts'
import {
  explainBadMap,
  idInside,
  isMapped,
  mapWords,
  parseIdMapWord,
  resolveIdMap,
} from '../../../src/namespaces/id-map.ts'
import { parseJoin } from '../../../src/namespaces/setns.ts'
import { parseOffset, parseOffsets } from '../../../src/namespaces/time-offset.ts'
import { explainProgram } from '../../../src/ops/explain.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { hybrid, plan, rootless, v1, v2 } from '../hosts.ts'

test.each([
  ['0:1000:1', { inside: 0, outside: 1000, count: 1 }],
  ['root', 'root'],
  ['0:0:4294967295', { inside: 0, outside: 0, count: 4294967295 }],
  ['0:0:4294967296', undefined],
  ['1:0:4294967295', undefined],
  ['0:0:0', undefined],
  ['-1:0:1', undefined],
  ['0:0', undefined],
  ['0:0:1:1', undefined],
  ['0:0:1\n1:1:1', undefined],
  [' 0:0:1', undefined],
  ['Root', undefined],
  [0, undefined],
] as const)('the map %j is read as %j', (text, expected) => {
  expect(parseIdMapWord(text)).toEqual(expected)
})

test('auto begins with the caller, and leaves the root user out', () => {
  const given = [
    { start: 100000, count: 10 },
    { start: 300000, count: 5 },
  ]
  expect(mapWords(resolveIdMap(['auto'], 1000, given))).toEqual('0 1000 1 1 100000 10 11 300000 5'.split(' '))
  expect(mapWords(resolveIdMap(['auto'], 0, given))).toEqual('0 100000 10 10 300000 5'.split(' '))
})

test('maps that overlap on a side are told, and others take ids there and back', () => {
  const extent = record({
    inside: integer({ min: 0, max: 40 }),
    outside: integer({ min: 0, max: 40 }),
    count: integer({ min: 1, max: 9 }),
  })
  assert(
    property(array(extent, { minLength: 1, maxLength: 6 }), (extents) => {
      const ids = (side: 'inside' | 'outside') =>
        extents.flatMap((one) => Array.from({ length: one.count }, (_, i) => one[side] + i))
      const clash = (['inside', 'outside'] as const).some((side) => new Set(ids(side)).size < ids(side).length)
      expect(explainBadMap(extents) !== undefined).toBe(clash)
      if (clash) return
      expect(ids('outside').map((id) => idInside(extents, id))).toEqual(ids('inside'))
      for (const id of ids('inside')) expect(isMapped(extents, id)).toBe(true)
      expect(idInside(extents, 1000)).toBe(undefined)
    }),
  )
})

test('subordinate ids are those of the name and the number, and nothing odd', () => {
  const text = 'joe:100000:65536\nann:1:2\n1000:300000:5\njoe:x:1\njoe:1\njoe:5:0\n:1:1\njoe:99999999999:1'
  expect(parseSubordinate(text, 'joe', 1000)).toEqual([
    { start: 100000, count: 65536 },
    { start: 300000, count: 5 },
  ])
})

test('capabilities are read in any spelling, and masks give the numbers back', () => {
  for (const word of ['NET_RAW', 'net_raw', 'CAP_NET_RAW', 'cap_net_raw']) expect(parseCapability(word)).toBe(13)
  expect([parseCapability('all'), parseCapability('CAP_CHOWN'), parseCapability('')]).toEqual(['ALL', 0, undefined])
  expect(['__proto__', 'CAP_CAP_CHOWN', 'CHOWN\n', 13, null].map(parseCapability)).toEqual(Array(5).fill(undefined))
  expect(capabilitiesOf([5, 7]).length).toBe(38)
  expect(capabilitiesOf([5, 9]).length).toBe(41)
  expect([missingSince(40, [5, 8]), missingSince(40, [6, 0])]).toEqual(['5.9', undefined])
  assert(
    property(array(integer({ min: 0, max: 40 })), (numbers) => {
      const sorted = [...new Set(numbers)].sort((a, b) => a - b)
      expect(parseCapabilityMask(capabilityMask(sorted).toString(16))).toEqual(sorted)
    }),
  )
})

test.each([
  [[], [], [1, 2]],
  [['ALL'], [], [1, 2, 3, 4]],
  [['ALL'], [2], [1, 3, 4]],
  [[3], ['ALL'], [3]],
  [[], ['ALL'], []],
  [[3], [1], [2, 3]],
] as const)('adding %j and dropping %j leaves %j', (add, drop, left) => {
  expect(chooseCapabilities([1, 2], [1, 2, 3, 4], add, drop)).toEqual(left)
})

test.each([
  ['nofile', 100, [7, 100, 100]],
  ['nofile', '100:200', [7, 100, 200]],
  ['core', 'unlimited', [4, -1, -1]],
  ['core', '0:-1', [4, 0, -1]],
  ['nofile', '200:100', undefined],
  ['nofile', 'unlimited:1', undefined],
  ['nofile', '1:2:3', undefined],
  ['nofile', '', undefined],
  ['nofile', '1e3', undefined],
  ['nofile', 1.5, undefined],
  ['nofile', '99999999999999999', undefined],
  ['toString', '1', undefined],
  ['NOFILE', '1', undefined],
  ['as', '512M', [9, 536_870_912, 536_870_912]],
  ['fsize', '1.5G:unlimited', [1, 1_610_612_736, -1]],
  ['as', 'max', undefined],
  ['nofile', '1K', undefined],
  ['cpu', '2m:1h', [0, 120, 3600]],
  ['cpu', '1500ms', undefined],
  ['rttime', '50ms', [15, 50_000, 50_000]],
] as const)('the limit %s of %j is read as %j', (name, value, expected) => {
  const limit = parseResourceLimit(name, value)
  expect('resource' in limit ? [limit.resource, limit.soft, limit.hard] : undefined).toEqual(expected)
})

test.each([
  ['+10s', 10, 0],
  ['-1.5s', -2, 500_000_000],
  ['1h', 3600, 0],
  [-1, -1, 0],
  ['0.000000001', 0, 1],
  ['250ms', 0, 250_000_000],
] as const)('the offset %j is %j s and %j ns', (text, seconds, nanoseconds) => {
  expect(parseOffset(text)).toEqual({ seconds, nanoseconds })
})

test('offsets name clocks, each once', () => {
  expect(parseOffsets('monotonic=+1s,boottime=-1d')).toBe('monotonic 1 0\nboottime -86400 0\n')
  const bad = ['', 'monotonic', 'realtime=1', 'monotonic=1,monotonic=2', 'monotonic=1s\n', 'monotonic=x', null, 5, {}]
  expect(bad.map(parseOffsets)).toEqual(bad.map(() => undefined))
})

test('priorities are read in their ranges', () => {
  expect(['idle', 'best-effort', 'best-effort:0', 'realtime:7'].map(parseIoPriority)).toEqual([
    24576, 16388, 16384, 8199,
  ])
  expect(['idle:1', 'realtime:8', 'x', '', 'best-effort:1:1', 3].map(parseIoPriority)).toEqual(Array(6).fill(undefined))
  expect(['fifo:1', 'rr:99', 'batch'].map(parseScheduler)).toEqual([
    { policy: 1, priority: 1 },
    { policy: 2, priority: 99 },
    { policy: 3, priority: 0 },
  ])
  expect(['fifo', 'rr:0', 'rr:100', 'batch:1', 'toString'].map(parseScheduler)).toEqual(Array(5).fill(undefined))
  expect(
    ['-20', '+5', 19, '20', '-21', '1.5', '', '0x1', Number.NaN].map((value) => parseWhole(value, -20, 19)),
  ).toEqual([-20, 5, 19, ...Array(6).fill(undefined)])
})

test('joins are paths, processes and names of network namespaces', () => {
  expect(parseJoin('mount', 7)).toEqual({ kind: 'mount', path: '/proc/7/ns/mnt' })
  expect(parseJoin('net', 'web')).toEqual({ kind: 'net', path: '/run/netns/web' })
  expect(parseJoin('uts', '/x')).toEqual({ kind: 'uts', path: '/x' })
  const bad = [
    ['net', '../x'],
    ['net', '..'],
    ['net', 'a/b'],
    ['uts', 'web'],
    ['pid', '0'],
    ['pid', -1],
    ['net', '/x\0y'],
    ['net', ''],
    ['mnt', '7'],
    ['toString', '7'],
  ] as const
  expect(bad.map(([kind, target]) => parseJoin(kind, target))).toEqual(bad.map(() => undefined))
})

test.each([
  [{ isolate: ['user'], join: { net: 5 } }, 'OPTION_CONFLICT', 'no rights over existing namespaces'],
  [{ isolate: ['net'], join: { net: 5 } }, 'OPTION_CONFLICT', 'a net namespace of its own is also requested'],
  [{ isolate: ['usr'] }, 'OPTION_INVALID', 'give user?'],
  [{ join: { nett: 5 } }, 'OPTION_UNKNOWN', 'did you mean net?'],
  [{ join: ['net=5'] }, 'OPTION_INVALID', 'it names no namespaces'],
  [{ mapUsers: [] }, 'OPTION_INVALID', 'it maps no ids'],
  [{ mapUsers: ['0:0:2', '1:9:1'] }, 'OPTION_INVALID', 'the id 1 inside is mapped twice'],
  [{ mapUsers: ['root', '0:9:1'] }, 'OPTION_INVALID', 'the id 0 inside is mapped twice'],
  [{ mapUsers: 'auto' }, 'IDMAP_NOT_DELEGATED', '/etc/subuid does not allow it'],
  [{ mapUsers: '0:100000:5', user: 'joe' }, 'OPTION_CONFLICT', 'user 7 is not mapped'],
  [{ timeOffset: { realtime: 1 } }, 'OPTION_UNKNOWN', 'all namespaces share the wall clock'],
  [{ capAdd: 'NET_RAW', capDrop: ['NET_RAW'] }, 'OPTION_CONFLICT', 'capDrop takes it away'],
  [{ capDrop: ['CHOWNN'] }, 'OPTION_INVALID', 'give CHOWN?'],
  [{ ulimits: { nofiles: 1 } }, 'OPTION_UNKNOWN', 'did you mean nofile?'],
  [{ ulimits: { nofile: '2:1' } }, 'OPTION_INVALID', 'SOFT no higher than HARD'],
  [{ nice: 20 }, 'OPTION_INVALID', 'a whole number from -20 to 19'],
  [{ oomScoreAdj: -1001 }, 'OPTION_INVALID', 'a whole number from -1000 to 1000'],
  [{ groups: 'audio' }, 'OPTION_INVALID', 'groups such as audio'],
  [{ newPrivileges: 'yes' }, 'OPTION_INVALID', 'true or false'],
] as const)('%j is refused as %s', (options, code, words) => {
  const user = { uid: 7, gid: 7, groups: [7] }
  const make = () => plan(v2, options as unknown as RunOptions, {}, 'user' in options ? { user } : {})
  expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }))
})

const names = (host: typeof v2, options: RunOptions, around: Parameters<typeof plan>[3] = {}) => {
  const program = compilePlan(plan(host, options, {}, around))
  return {
    outer: program.outer.map(({ op }) => op).filter((op) => op === 'spawn' || op === 'mapIds' || op === 'wait'),
    inner: program.inner.map(({ op }) => op),
  }
}

test('a caller without rights gets a user namespace; its maps are written between clone and wait', () => {
  expect(names(rootless, { workdir: '/w', nice: 5 })).toEqual({
    outer: ['spawn', 'mapIds', 'wait'],
    inner: [
      'awaitMaps',
      'limitUserCount',
      'limitUserCount',
      'mount',
      'mount',
      'setNice',
      'setCapabilities',
      'changeDirectory',
      'noNewPrivileges',
      'dieWithParent',
      'exec',
    ],
  })
  expect(names(rootless, { isolate: 'none', newPrivileges: true }).inner).toEqual(['dieWithParent', 'exec'])
})

test('privileges go down in the one order that works', () => {
  const user = { uid: 7, gid: 7, groups: [7] }
  const options = { isolate: ['net'], capAdd: 'NET_RAW', ulimits: { core: 0 }, oomScoreAdj: 5 } as const
  expect(names(hybrid, { ...options, user: 'joe' }, { user }).inner).toEqual([
    'joinGroup',
    'joinGroup',
    'setOomScore',
    'loopbackUp',
    'setLimit',
    'dropBounding',
    'setUser',
    'setCapabilities',
    'noNewPrivileges',
    'dieWithParent',
    'exec',
  ])
})

test('groups of v1 are made while the child mounts, and entered before its root is changed', () => {
  const options = { rootfs: '/image', isolate: ['all', 'user', 'time'], limits: { memory: '50M' } } as const
  const order = (host: typeof hybrid, more: RunOptions = {}) => {
    const { outer, inner } = compilePlan(plan(host, { ...options, ...more } as RunOptions))
    const groups = outer.filter(({ op }) => /makeGroup|writeFile|spawn|mapIds|sendGo/.test(op))
    return [groups.map(({ op }) => op).join(' '), inner.map(({ op }) => op).join(' ')]
  }
  const [outer, inner] = order(hybrid)
  expect(outer).toBe('makeGroup spawn mapIds makeGroup makeGroup writeFile sendGo')
  expect(inner).toMatch(/^awaitMaps .* awaitGroups joinGroup joinGroup unshare attachGroups pivotRoot /)
  // without a v2 group nothing would find it for a signal until then; without a hand-shake nobody tells that they are there
  for (const [host, more] of [
    [v1, {}],
    [hybrid, { isolate: 'all' }],
  ] as const) {
    const [before, after] = order(host as typeof hybrid, more as RunOptions)
    expect(before).not.toContain('sendGo')
    expect(after).toMatch(/^(awaitMaps limitUserCount limitUserCount )?joinGroup /)
  }
  expect(order(v2 as typeof hybrid)[0]).toMatch(/^makeGroup writeFile .*spawn mapIds$/)
})

test('with a joined user namespace the others are made after it, and a pid namespace begins with a child', () => {
  const { outer, inner } = compilePlan(plan(hybrid, { join: { user: 5, net: 5 }, isolate: ['pid', 'mount'] }))
  expect(outer.find(({ op }) => op === 'spawn')).toMatchObject({ flags: 0 })
  expect(inner.map(({ op }) => op)).toEqual([
    'joinGroup',
    'joinGroup',
    'joinNamespaces',
    'unshare',
    'stayOutside',
    'mount',
    'mount',
    'setUser',
    'setCapabilities',
    'noNewPrivileges',
    'dieWithParent',
    'exec',
  ])
  expect(inner[3]).toMatchObject({ flags: 0x2002_0000 })
})

test('random wishes for rights give a program that is explained, or a HutchError', () => {
  const text = string({ maxLength: 8 })
  const id = constantFrom('root', 'keep', 'auto', '0:1000:1', '0:100000:9', '9:0:1', '5:5')
  const cap = constantFrom('ALL', 'NET_RAW', 'chown', 'CAP_BPF', 'x')
  const options = record(
    {
      isolate: constantFrom('all', 'none', ['user'], ['pid', 'time'], ['all', 'user']),
      join: constantFrom({}, { net: 5 }, { user: 5 }, { pid: 5, user: 5 }, { mount: '/x' }),
      mapUsers: array(id, { maxLength: 3 }),
      mapGroups: id,
      timeOffset: constantFrom({ monotonic: 1 }, { boottime: '-1d' }, {}),
      capAdd: array(cap, { maxLength: 2 }),
      capDrop: array(cap, { maxLength: 2 }),
      newPrivileges: constantFrom(true, false),
      ulimits: constantFrom({ nofile: 5 }, { core: 'unlimited' }, { x: 1 }),
      oomScoreAdj: integer({ min: -1100, max: 1100 }),
      nice: integer({ min: -22, max: 22 }),
      ioPriority: constantFrom('idle', 'realtime:1', 'x'),
      scheduler: constantFrom('batch', 'fifo:3', 'fifo'),
      groups: array(text, { maxLength: 2 }),
    },
    { requiredKeys: [] },
  )
  const delegation = { users: [{ start: 100000, count: 9 }], groups: [], userTool: '/t', groupTool: '' }
  assert(
    property(constantFrom(v2, hybrid, rootless), options, (host, wishes) => {
      try {
        const program = compilePlan(plan(host, wishes as RunOptions, {}, { delegation }))
        for (const step of explainProgram(program)) expect(step.words).not.toBe('')
      } catch (error) {
        expect(HutchError.is(error), String((error as Error).stack)).toBe(true)
      }
    }),
    { numRuns: 1000 },
  )
  expect(() => parseOptions('x', [], { nicer: 1 } as RunOptions, 'cli')).toThrow(/did you mean nice\?/)
})
