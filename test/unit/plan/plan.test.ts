// SPDX-License-Identifier: Apache-2.0
// Options and facts of the host give a plan.
import { assert, constantFrom, property, record, subarray } from 'fast-check'
import { expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import { namespaceKinds } from '../../../src/namespaces/namespace.ts'
import { ops } from '../../../src/ops/ops.ts'
import type { Limits, RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { addTools } from '../../../src/plan/environment.ts'
import { hybrid, none, parent, plan, rootless, v1, v2 } from '../hosts.ts'

const name = 'hutch-42-777-4026531836-1'
const short = (options: Parameters<typeof plan>[1], host = v2) => {
  const program = compilePlan(plan(host, options))
  const line = (op: object) =>
    Object.entries(op)
      .filter(([key]) => key !== 'origin')
      .map(([, value]) => (Array.isArray(value) ? value.join(' ') : value))
      .join(' ')
      .replaceAll(name, '*')
  return {
    outer: program.outer.map(line).filter((text) => !text.startsWith('read')),
    inner: program.inner.map(line),
  }
}

test('a plan for v2 is one group, limits in the order in which they hold', () => {
  expect(short({ limits: { swap: 0, memory: '50M', pids: 5 }, timeout: 1000 })).toEqual({
    outer: [
      'makeGroup /cg/* 0',
      'writeFile /cg/*/memory.max 52428800',
      'writeFile /cg/*/memory.swap.max 0',
      'writeFile /cg/*/pids.max 5',
      'watchFile /cg/*/memory.events',
      'watchFile /cg/*/pids.events',
      `spawn ${0x2c02_0000} /cg/* 2`,
      'wait 1000 5000 15 1 /cg/*/cgroup.procs /cg/*/cgroup.kill',
      'removeGroup /cg/* 0',
    ],
    inner: [
      'mount  /  278528 ',
      'mount proc /proc proc 14 ',
      'noNewPrivileges',
      'dieWithParent 9',
      'exec job a b A=1 PATH=/tools:/bin /tools:/bin 1',
    ],
  })
})

test('a plan for hybrid has a group in each hierarchy, joined from inside before the cgroup namespace is made', () => {
  expect(
    short({ limits: { swap: '10M', memory: '50M', pids: 5, cpusetCpus: '0' }, isolate: ['cgroup'] }, hybrid),
  ).toEqual({
    outer: [
      'makeGroup /cg/unified/* 0',
      'makeGroup /cg/memory/* 0',
      'makeGroup /cg/pids/* 0',
      'makeGroup /cg/cpuset/* 0',
      'writeFile /cg/cpuset/*/cpuset.mems 0',
      'writeFile /cg/memory/*/memory.limit_in_bytes 52428800',
      'writeFile /cg/memory/*/memory.memsw.limit_in_bytes 62914560',
      'writeFile /cg/pids/*/pids.max 5',
      'writeFile /cg/cpuset/*/cpuset.cpus 0',
      'watchFile /cg/pids/*/pids.events',
      'spawn 0 /cg/unified/* 2',
      'wait 0 5000 15 0 /cg/unified/*/cgroup.procs /cg/memory/*/cgroup.procs /cg/pids/*/cgroup.procs /cg/cpuset/*/cgroup.procs /cg/unified/*/cgroup.kill',
      'killGroup /cg/unified/*/cgroup.procs /cg/memory/*/cgroup.procs /cg/pids/*/cgroup.procs /cg/cpuset/*/cgroup.procs /cg/unified/*/cgroup.kill',
      'removeGroup /cg/cpuset/* 0',
      'removeGroup /cg/pids/* 0',
      'removeGroup /cg/memory/* 0',
      'removeGroup /cg/unified/* 0',
    ],
    inner: [
      'joinGroup /cg/memory/*/tasks',
      'joinGroup /cg/pids/*/tasks',
      'joinGroup /cg/cpuset/*/tasks',
      `unshare ${0x0200_0000}`,
      'noNewPrivileges',
      'dieWithParent 9',
      'exec job a b A=1 PATH=/tools:/bin /tools:/bin 0',
    ],
  })
})

test('ids change before the directory, the parent-death signal and exec', () => {
  const user = { uid: 5, gid: 6, groups: [6], name: 'joe', home: '/home/joe' }
  const program = compilePlan(plan(v2, { user: 'joe', workdir: '/w' }, {}, { user }))
  expect(program.inner.map((op) => op.op)).toEqual([
    'mount',
    'mount',
    'setUser',
    'changeDirectory',
    'noNewPrivileges',
    'dieWithParent',
    'exec',
  ])
  expect(program.inner.at(-1)).toMatchObject({
    env: ['A=1', 'PATH=/tools:/bin', 'HOME=/home/joe', 'USER=joe', 'LOGNAME=joe'],
  })
})

test('without a cgroup file system, a run without limits has no group', () => {
  expect(plan(none).groups).toEqual([])
})

test('controllers are enabled level by level where they are not', () => {
  const levels = [
    { directory: '/cg', enabled: ['memory'] },
    { directory: '/cg/a', enabled: [] },
  ]
  expect(
    plan(v2, { limits: { memory: 1e6 }, parent: 'a' }, { directory: '/cg/a', levels, type: 'domain' }).groups[0]!
      .enable,
  ).toEqual([
    { directory: '/cg', controllers: ['pids'] },
    { directory: '/cg/a', controllers: ['memory', 'pids'] },
  ])
})

test("on hybrid, a limit of a controller that is in the v2 tree is set in the job's v2 group", () => {
  const levels = [{ directory: '/cg', enabled: [] }]
  const { groups } = plan(
    hybrid,
    { limits: { 'hugetlb.2MB.max': '4M', memory: 1e6 } },
    { available: ['hugetlb'], levels },
  )
  const told = groups.map(({ controller, enable, writes }) => ({
    controller,
    enable,
    files: writes.map(({ file }) => file),
  }))
  expect(told.filter(({ files }) => files.length > 0)).toEqual([
    { controller: '', enable: [{ directory: '/cg', controllers: ['hugetlb'] }], files: ['hugetlb.2MB.max'] },
    { controller: 'memory', enable: [], files: ['memory.limit_in_bytes'] },
  ])
})

const bare = { levels: [{ directory: '/cg', enabled: [] }], type: 'domain' }
test.each([
  ['a missing controller', v2, { limits: { memory: 1e6 } }, { available: ['cpu'] }, 'CGROUP_CONTROLLER_MISSING'],
  [
    'a v1 host without it',
    { ...hybrid, v1: {} },
    { limits: { memory: 1e6 } },
    { available: [] },
    'CGROUP_CONTROLLER_MISSING',
  ],
  ['no delegation', rootless, { limits: { memory: 1e6 } }, { writable: false }, 'CGROUP_NO_DELEGATION'],
  ['a read-only cgroup file system', v2, { limits: { memory: 1e6 } }, { writable: false }, 'CGROUP_REFUSED'],
  ['processes in the parent', v2, { limits: { memory: 1e6 } }, { ...bare, processes: ['7', '8'] }, 'CGROUP_POPULATED'],
  ['a threaded parent', v2, { limits: { pids: 9 } }, { ...bare, type: 'threaded' }, 'CGROUP_THREADED'],
  ['one task for two', v2, { limits: { pids: 1 } }, {}, 'OPTION_CONFLICT'],
  ['memory.high on v1', v1, { limits: { memoryHigh: 1e6 } }, {}, 'CGROUP_LIMIT_UNSUPPORTED'],
  ['swap without memory on v1', v1, { limits: { swap: 1e6 } }, {}, 'CGROUP_LIMIT_UNSUPPORTED'],
  ['a group kill on v1 alone', v1, { limits: { oomGroup: true } }, {}, 'CGROUP_LIMIT_UNSUPPORTED'],
] as const)('%s is refused without the kernel', (_, host, options, changes, code) => {
  expect(() => plan(host as typeof v2, options as RunOptions, changes as object)).toThrow(
    expect.objectContaining({ code }),
  )
})

test('processes in the parent are no reason when they may be moved', () => {
  const options = { limits: { memory: 1e6 }, evacuate: true }
  expect(plan(v2, options, { ...bare, processes: ['7'] }).groups[0]!.enable).toEqual([
    { directory: '/cg', controllers: ['memory', 'pids'] },
  ])
})

test('a user in a scope is told how controllers come to users', () => {
  const inScope = { ...rootless, home: '/cg/hutch-1-2.scope' }
  expect(() => plan(inScope, { limits: { cpusetCpus: '0' } }, { available: ['memory'] })).toThrow(
    /remedy: as root: .*Delegate=cpu cpuset io memory pids.*restart user@1000/,
  )
})

test('figures that nobody asked for are not worth a failure', () => {
  expect(plan(v2, {}, { ...bare, processes: ['7'] }).groups).toMatchObject([{ enable: [], writes: [] }])
  expect(plan(rootless, {}, { writable: false }).groups).toEqual([])
  expect(parent('/x').exists).toBe(true)
})

test('random runs on random hosts give a program of known ops, each with its origin, or a HutchError', () => {
  const limits = record(
    {
      memory: constantFrom('1M', 'max'),
      memoryHigh: constantFrom('1M', 'max'),
      swap: constantFrom(0, '1G'),
      pids: constantFrom(1, 2, 'max'),
      cpus: constantFrom(0.01, 4, 'max'),
      cpuWeight: constantFrom(1, 10_000),
      oomGroup: constantFrom(true, false),
    },
    { requiredKeys: [] },
  )
  const hosts = constantFrom(v2, hybrid, v1, none, rootless)
  const changes = record(
    {
      writable: constantFrom(true, false),
      type: constantFrom('domain', 'threaded', undefined),
      processes: constantFrom([], ['1']),
      available: constantFrom([], ['memory'], ['memory', 'pids', 'cpu']),
    },
    { requiredKeys: [] },
  )
  assert(
    property(hosts, limits, subarray([...namespaceKinds]), changes, (host, some, isolate, change) => {
      try {
        if (host === none && Object.keys(some).length > 0) return
        const program = compilePlan(plan(host, { limits: some as Limits, isolate }, change as object))
        for (const op of [...program.outer, ...program.inner])
          expect([Object.hasOwn(ops, op.op), op.origin.length > 0]).toEqual([true, true])
        expect(program.outer.filter((op) => op.op === 'makeGroup').length).toBe(
          program.outer.filter((op) => op.op === 'removeGroup').length,
        )
      } catch (error) {
        expect(HutchError.is(error), String(error)).toBe(true)
      }
    }),
    { numRuns: 1000 },
  )
})

test('the directory of hutch comes first in PATH if it has nothing else, and last if it has', () => {
  expect(addTools('/usr/bin:/bin', {})).toBe('/usr/bin:/bin')
  expect(addTools('/usr/bin:/bin', { first: '/tools' })).toBe('/tools:/usr/bin:/bin')
  expect(addTools('/usr/bin:/bin', { last: '/home/joe' })).toBe('/usr/bin:/bin:/home/joe')
  expect(addTools('/usr/bin:/bin', { last: '/bin' })).toBe('/usr/bin:/bin')
})
