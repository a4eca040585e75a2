// SPDX-License-Identifier: Apache-2.0
// Every file of this kernel's groups has words, every key has words, every text is understood, and what was read can be written again.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CgroupVersion, describeFile, describeKey } from '../../../src/cgroup/controllers/catalog.ts'
import type { FileWords } from '../../../src/cgroup/controllers/entry.ts'
import { writeGroupFile } from '../../../src/cgroup/files.ts'
import { type FileValue, formatWrites, parseValue } from '../../../src/cgroup/value-read.ts'
import { readHost } from '../../../src/host/host.ts'
import { requires } from '../../support/requires.ts'

const host = readHost()
const name = `hutch-test-${process.pid}-catalog`
const mounts = new Set(Object.values(host.v1).map((hierarchy) => hierarchy.mount))
const unified = host.unified?.mount
const subtree = `${unified}/cgroup.subtree_control`
let enabledBefore: string[] = []

interface RealFile {
  path: string
  file: string
  version: CgroupVersion
  isRoot: boolean
  words: FileWords | undefined
}

const groups: { directory: string; version: CgroupVersion }[] = [
  ...[...mounts].map((mount) => ({ directory: mount, version: 'v1' as const })),
  ...(unified ? [{ directory: unified, version: 'v2' as const }] : []),
].flatMap(({ directory, version }) => [
  { directory, version },
  { directory: `${directory}/${name}`, version },
])
const fresh = groups.filter(({ directory }) => directory.endsWith(name))

function filesOf({ directory, version }: { directory: string; version: CgroupVersion }): RealFile[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile())
  const names = entries.map((entry) => entry.name)
  // in a container the top of the mount is no root group
  const isRoot = !directory.endsWith(name) && names.includes('cgroup.sane_behavior') === (version === 'v1')
  return names.map((file) => ({
    path: `${directory}/${file}`,
    file,
    version,
    isRoot: isRoot && !names.includes('cgroup.type'),
    words: describeFile(file, version),
  }))
}

const allFiles = () => groups.flatMap(filesOf)
const readable = () => allFiles().filter(({ words }) => words?.access.startsWith('read'))

/** The key, or keys, of a keyed file's value. */
function keysOf(words: FileWords, value: FileValue): string[] {
  if (!['flat-keyed', 'nested-keyed', 'device-operations', 'numa', 'pressure'].includes(words.format)) return []
  const entries = Object.entries(value as { [key: string]: unknown })
  const lines = words.lines || words.format === 'pressure' ? [] : entries.map(([key]) => key)
  const inner = entries.flatMap(([, figures]) => (typeof figures === 'object' && figures ? Object.keys(figures) : []))
  return [...lines, ...inner]
}

beforeAll(() => {
  if (unified) {
    enabledBefore = readFileSync(subtree, 'utf8').split(/\s/).filter(Boolean)
    for (const controller of readFileSync(`${unified}/cgroup.controllers`, 'utf8').split(/\s/).filter(Boolean))
      if (!enabledBefore.includes(controller)) writeFileSync(subtree, `+${controller}`)
  }
  for (const { directory } of fresh) mkdirSync(directory)
})

afterAll(() => {
  for (const { directory } of fresh) rmdirSync(directory)
  if (!unified) return
  // one that another group has come to need meanwhile stays
  for (const controller of readFileSync(subtree, 'utf8').split(/\s/).filter(Boolean))
    if (!enabledBefore.includes(controller)) writeGroupFile(unified, 'cgroup.subtree_control', `-${controller}`)
})

// the VM's kernels are Debian's; a host's own may have a few files of its vendor's making
const vendors = process.env.VM ? 0 : 3

test('every file has words', () => {
  expect(groups.length).toBeGreaterThan(0)
  const unknown = new Set(allFiles().flatMap(({ file, words }) => (words ? [] : [file])))
  expect([...unknown].slice(vendors)).toEqual([])
})

test('what can be read and written is what the kernel says', () => {
  const wrong = allFiles().filter(({ path, words, version }) => {
    const mode = statSync(path).mode
    // memory.peak became writable with 6.12; pressure_level can be opened but not read
    const grew = version === 'v2' && words?.access === 'read-write' && words.accepts?.startsWith('0, since Linux')
    return words && words.access !== 'none' && !grew && ((mode & 0o200) !== 0) !== words.access.endsWith('write')
  })
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('the root group has what the catalogue says it has', () => {
  const wrong = allFiles().filter(({ words, isRoot }) => words?.root === (isRoot ? 'never' : 'only'))
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('every text is understood', () => {
  const read = readable()
  expect(read.length).toBeGreaterThan(20)
  for (const { path, words } of read) expect(() => parseValue(words!, readFileSync(path, 'utf8')), path).not.toThrow()
})

test('every key has words', () => {
  const unknown = readable().flatMap(({ path, words }) =>
    keysOf(words!, parseValue(words!, readFileSync(path, 'utf8')))
      .filter((key) => !describeKey(words!, key))
      .map((key) => `${path}: ${key}`),
  )
  expect(unknown).toEqual([])
})

test('what was read is taken back, and reads the same', () => {
  // ids would move processes, triggers and types are no values that read back; kernel memory has no limit any more
  const others = ['pids', 'pressure', 'text', 'words', 'lines']
  const tried = fresh.flatMap(filesOf).filter(({ words, file }) => {
    const writable = words?.access === 'read-write' && !words.accepts?.startsWith('0, since Linux')
    return writable && words && !words.writes && !others.includes(words.format) && !file.startsWith('memory.kmem.')
  })
  for (const { path, words } of tried) {
    const before = parseValue(words!, readFileSync(path, 'utf8'))
    for (const text of formatWrites(words!, before)) {
      try {
        writeFileSync(path, text)
      } catch (error) {
        expect.fail(`${path} does not take ${JSON.stringify(text)}: ${error}`)
      }
    }
    expect(parseValue(words!, readFileSync(path, 'utf8')), path).toEqual(before)
  }
  expect(tried.length).toBeGreaterThan(5)
})

test('limits of a real device are taken as they are typed, and read back as bytes', (context) => {
  requires(context, 'v2')
  const [disk] = readdirSync('/sys/block').filter((name) => !name.startsWith('loop'))
  const device = readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim()
  const file = `${unified}/${name}/io.max`
  const words = describeFile('io.max')!
  for (const [value, expected] of [
    [`${device} rbps=1M wiops=120`, { [device]: { rbps: 1048576, wbps: 'max', riops: 'max', wiops: 120 } }],
    [{ [device]: { rbps: 'max', wiops: 'max' } }, {}],
  ]) {
    for (const text of formatWrites(words, value)) writeFileSync(file, text)
    expect(parseValue(words, readFileSync(file, 'utf8'))).toEqual(expected)
  }
})
