// SPDX-License-Identifier: Apache-2.0
// v2's names on real v1 hierarchies: what is set is read back, and every text that is read is one of v2.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalogFiles, describeFile } from '../../../src/cgroup/controllers/catalog.ts'
import { readGroupFile, writeGroupFile } from '../../../src/cgroup/files.ts'
import { readLegacy } from '../../../src/cgroup/v1/read.ts'
import { translateLimits } from '../../../src/cgroup/v1/translate.ts'
import { formatValue, parseValue } from '../../../src/cgroup/value-read.ts'
import { readHost } from '../../../src/host/host.ts'
import { requires } from '../../support/requires.ts'

const { v1 } = readHost()
const name = `hutch-test-${process.pid}-legacy`
const directoryOf = (controller: string) => v1[controller] && `${v1[controller].mount}/${name}`
const directories = [...new Set(Object.values(v1).map(({ mount }) => `${mount}/${name}`))]

const read = (controller: string, file: string) => {
  const directory = controller === 'cgroup' ? directories[0] : directoryOf(controller)
  return directory && readGroupFile(directory, file)
}

/** Sets a limit under its v2 name; false when this kernel has no such v1 file. */
function set(file: string, value: unknown): boolean {
  const text = formatValue(describeFile(file)!, value)
  return translateLimits([{ file, value: text, origin: file }]).every((write) => {
    const directory = directoryOf(write.controller)
    if (!directory || !existsSync(`${directory}/${write.file}`)) return false
    expect([write.file, writeGroupFile(directory, write.file, write.value)]).toEqual([write.file, undefined])
    return true
  })
}

const get = (file: string) => parseValue(describeFile(file)!, readLegacy(file, read)!)

beforeAll(() => {
  for (const directory of directories) mkdirSync(directory)
})

afterAll(() => {
  for (const directory of directories) rmdirSync(directory)
})

const device = () => {
  const [disk] = readdirSync('/sys/block')
  return disk && readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim()
}

test.for<[string, unknown, unknown]>([
  ['memory.max', '50M', 52428800],
  ['memory.max', 'max', 'max'],
  ['memory.low', '20M', 20971520],
  ['pids.max', 7, 7],
  ['pids.max', 'max', 'max'],
  ['cpu.max', 0.5, { quota: 50000, period: 100000 }],
  ['cpu.max', { quota: 'max', period: 50000 }, { quota: 'max', period: 50000 }],
  ['cpu.weight', 250, 250],
  ['cpu.idle', true, true],
  ['cpuset.cpus', [0], [0]],
  ['cpuset.mems', '0', [0]],
  ['io.bfq.weight', 200, { default: 200 }],
])('%s set to %j is read back', ([file, value, expected], context) => {
  requires(context, 'v1 controllers')
  if (set(file, value)) expect(get(file)).toEqual(expected)
  else expect(readLegacy(file, read)).toBeUndefined()
})

test('io.max of a real device is set and read back', (context) => {
  requires(context, 'v1 controllers')
  const id = device()
  if (!v1.blkio || !id) return context.skip('needs blkio and a block device')
  set('io.max', { [id]: { rbps: '1M', wiops: 120 } })
  expect(get('io.max')).toEqual({ [id]: { rbps: 1048576, wbps: 'max', riops: 'max', wiops: 120 } })
  set('io.max', { [id]: { rbps: 'max', wiops: 'max' } })
  expect(get('io.max')).toEqual({})
})

test('every text that v1 gives under a v2 name is one of v2', (context) => {
  requires(context, 'v1 controllers')
  const files = catalogFiles('v2').map((file) => file.replace('<size>', '2MB'))
  const given = files.filter((file) => readLegacy(file, read) !== undefined)
  for (const file of given) expect(() => get(file), file).not.toThrow()
  expect(given).toContain('pids.max')
  expect(given).toContain('cpu.stat')
})
