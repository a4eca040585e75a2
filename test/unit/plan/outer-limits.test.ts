// SPDX-License-Identifier: Apache-2.0
// Limits of groups that a job cannot be below, and where a group is as seen from a cgroup namespace.
import { expect, test } from 'vitest'
import { parseHierarchies } from '../../../src/host/hierarchy.ts'
import { isLimiting } from '../../../src/host/outer-limits.ts'
import { addOuterLimits } from '../../../src/plan/outer-limits.ts'
import { enclosingSlice } from '../../../src/systemd/unit.ts'
import { describeOuter } from '../../../src/verdict/outer-limit-words.ts'

test.each([
  ['', false],
  ['max', false],
  ['max 100000', false],
  ['50000 100000', true],
  ['67108864', true],
  ['0-1', true],
  ['8:0 rbps=max wbps=max riops=max wiops=max', false],
  ['8:0 rbps=max wbps=1048576 riops=max wiops=max', true],
  ['8:0 rbps=1 wbps=max\n8:16 rbps=max wbps=max', true],
  ['mlx4_0 hca_handle=max hca_object=max', false],
  ['res_a max\nres_b 10', true],
])('%j limits something: %s', (text, expected) => {
  expect(isLimiting(text)).toBe(expected)
})

const all = ['memory', 'pids', 'cpu', 'cpuset', 'io']
const limit = (file: string, value: string, origin = `--${file}`) => ({ file, value, origin })
const outer = (file: string, value: string, directory = '/cg/a') => ({ directory, file, value })

test.each([
  ['a larger one gives way', [limit('memory.max', '400')], [outer('memory.max', '120')], { 'memory.max': '120' }],
  ['a tighter one stays', [limit('memory.max', '50')], [outer('memory.max', '120')], { 'memory.max': '50' }],
  ['max gives way', [limit('pids.max', 'max')], [outer('pids.max', '40')], { 'pids.max': '40' }],
  ['what is not asked for is added', [], [outer('memory.high', '10')], { 'memory.high': '10' }],
  ['the tightest of all levels', [], [outer('pids.max', '40'), outer('pids.max', '30', '/cg')], { 'pids.max': '30' }],
  [
    'shares of time, whatever the periods',
    [limit('cpu.max', '40000 50000')],
    [outer('cpu.max', '70000 100000')],
    { 'cpu.max': '70000 100000' },
  ],
  [
    'CPUs of the nearest group',
    [],
    [outer('cpuset.cpus', '0'), outer('cpuset.cpus', '0-3', '/cg')],
    { 'cpuset.cpus': '0' },
  ],
])('outer limits: %s', (_, asked, given, expected) => {
  const { limits, outer: held } = addOuterLimits(asked, given, all)
  expect(Object.fromEntries(limits.map(({ file, value }) => [file, value]))).toEqual(expected)
  expect(held.every((one) => one.held)).toBe(true)
})

test('outer limits of devices keep their lines', () => {
  const value = '8:0 wbps=1\n8:16 wbps=2'
  const { limits } = addOuterLimits([], [outer('io.max', value)], all)
  expect(limits.map((one) => one.value)).toEqual(['8:0 wbps=1', '8:16 wbps=2'])
})

test('what cannot be set is told, with group, file and value', () => {
  const asked = [limit('io.max', '8:0 wbps=9')]
  const given = [outer('io.max', '8:0 wbps=1'), outer('hugetlb.2MB.max', '0'), outer('pids.max', '9')]
  const { outer: held } = addOuterLimits(asked, given, all)
  expect(held.map((one) => one.held)).toEqual([false, false, true])
  const text = describeOuter(held)
  expect(text).toContain('io.max       8:0 wbps=1 of /cg/a: does not apply to the job')
  expect(text).toContain('hugetlb.2MB.max  0 of /cg/a: does not apply to the job')
  expect(describeOuter(held.slice(2))).toBeUndefined()
})

test.each([
  ['/user.slice/user-0.slice/session-1.scope', 0, '/user.slice/user-0.slice'],
  ['/system.slice/cron.service', 0, '/system.slice'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope', 0, '/user.slice/user-1000.slice'],
  ['/init.scope', 0, '/system.slice'],
  [
    '/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.slice/a.scope',
    1000,
    '/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.slice',
  ],
  ['/user.slice/user-1000.slice/session-2.scope', 1000, '/user.slice/user-1000.slice/user@1000.service/app.slice'],
])('a scope of a process in %s, of user %i, is in %s', (own, uid, expected) => {
  expect(enclosingSlice({ mount: '/cg', own: `/cg${own}` }, uid)).toBe(`/cg${expected}`)
})

test('in a cgroup namespace below a mount of the host the own group is looked for by its depth', () => {
  const mountinfo = '30 25 0:26 /../.. /cg rw - cgroup2 cgroup2 rw'
  const asked: unknown[] = []
  const find = (...words: [string, number, string]) => {
    asked.push(words)
    return '/cg/a/b/c'
  }
  expect(parseHierarchies(mountinfo, '0::/c\n', find).unified).toEqual({ mount: '/cg', own: '/cg/a/b/c' })
  expect(asked).toEqual([['/cg', 2, '/c']])
  expect(parseHierarchies(mountinfo, '0::/c\n').unified).toEqual({ mount: '/cg', own: '/cg' })
})
