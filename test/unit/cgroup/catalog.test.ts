// SPDX-License-Identifier: Apache-2.0
// The table of kernel files.
import { expect, test } from 'vitest'
import { type CgroupVersion, catalogFiles, describeFile, describeKey } from '../../../src/cgroup/controllers/catalog.ts'
import { v1Names } from '../../../src/cgroup/v1/translate.ts'

const all = (['v2', 'v1'] as CgroupVersion[]).flatMap((version) =>
  catalogFiles(version).map((name) => ({ version, words: describeFile(name.replace('<size>', '2MB'), version)! })),
)

test('the catalogue has the files of all controllers', () => {
  const controllers = (version: CgroupVersion) => [
    ...new Set(all.filter((file) => file.version === version).map(({ words }) => words.controller)),
  ]
  expect(controllers('v2').sort()).toEqual(
    ['cgroup', 'cpu', 'cpuset', 'dmem', 'hugetlb', 'io', 'memory', 'misc', 'pids', 'rdma'].sort(),
  )
  expect(controllers('v1').sort()).toEqual(
    [
      ...['blkio', 'cgroup', 'cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'hugetlb', 'memory'],
      ...['misc', 'net_cls', 'net_prio', 'pids', 'rdma'],
    ].sort(),
  )
})

test.each(all)('$words.file of $version has what a reader needs', ({ words }) => {
  expect(words.meaning.length).toBeLessThanOrEqual(110)
  expect(words.meaning).not.toMatch(/\.$/)
  expect(words.accepts !== undefined).toBe(words.access.endsWith('write'))
  for (const [key, [, meaning]] of Object.entries(words.keys ?? {}))
    expect([key, meaning.length < 111]).toEqual([key, true])
})

test('what v2 names as the same on v1 is in the catalogue of v1', () => {
  const named = all.filter(({ version }) => version === 'v2').flatMap(({ words }) => words.v1 ?? [])
  expect(named.length).toBeGreaterThan(30)
  expect(named.filter((file) => !describeFile(file, 'v1'))).toEqual([])
  for (const [file, name] of Object.entries(v1Names)) expect([file, describeFile(file)?.v1]).toEqual([file, [name]])
})

test('a size of huge pages is any', () => {
  expect(describeFile('hugetlb.1GB.rsvd.max')).toMatchObject({
    file: 'hugetlb.1GB.rsvd.max',
    controller: 'hugetlb',
    format: 'bytes-or-max',
    unit: 'bytes',
    v1: ['hugetlb.1GB.rsvd.limit_in_bytes'],
  })
  expect(describeFile('hugetlb.64KB.limit_in_bytes', 'v1')?.meaning).toBe('Huge pages of this size that may be used')
})

test.each(['__proto__', 'constructor', 'toString', '', 'memory.maxx', 'hugetlb.<size>', 'hugetlb.x.max', 'MEMORY.MAX'])(
  'there is no file %j',
  (name) => expect([describeFile(name), describeFile(name, 'v1')]).toEqual([undefined, undefined]),
)

test('keys, also those of which there are many', () => {
  const stat = describeFile('cgroup.stat')!
  expect(describeKey(stat, 'nr_dying_subsys_memory')?.[0]).toBe('count')
  expect(describeKey(describeFile('memory.numa_stat')!, 'N12')?.[1]).toBe('Amount on this NUMA node')
  expect(describeKey(describeFile('misc.events')!, 'sev_es.max')?.[0]).toBe('count')
  expect(describeKey(describeFile('memory.stat')!, 'pgscan')?.[0]).toBe('pages')
  for (const key of ['nr_subsys_', 'nr_subsys_a b', '__proto__', 'x']) expect(describeKey(stat, key)).toBeUndefined()
})

test('the whole of one entry', () => {
  expect(describeFile('memory.max')).toEqual({
    file: 'memory.max',
    controller: 'memory',
    access: 'read-write',
    root: 'never',
    format: 'bytes-or-max',
    unit: 'bytes',
    default: 'max',
    accepts: 'bytes, such as 52428800 or 50M, or max',
    meaning: 'Maximum memory use; if nothing can be reclaimed, a process is killed',
    v1: ['memory.limit_in_bytes'],
    atEnd: { v2: 'always', v1: 'always' },
  })
})
