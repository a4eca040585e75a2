// SPDX-License-Identifier: Apache-2.0
// Each front end's remedies name only options that it has, and none tells root to be root.
import { afterEach, expect, test, vi } from 'vitest'
import { bwrapNames } from '../../../src/dropin/bubblewrap/names.ts'
import { bwrapOptions } from '../../../src/dropin/bubblewrap/option-table.ts'
import { nsenterOptions } from '../../../src/dropin/util-linux/nsenter.ts'
import { unshareOptions } from '../../../src/dropin/util-linux/unshare.ts'
import { addEvidence, codes, fail, nameOptions } from '../../../src/errors/errors.ts'
import {
  inWords,
  libraryNames,
  type OptionNames,
  optionOfRun,
  text,
  withOption,
} from '../../../src/errors/remedy-text.ts'
import type { Op } from '../../../src/ops/ops.ts'
import { stepParts } from '../../../src/ops/wire.ts'
import { commandLineNames, commandNames, dropinNames } from '../../../src/options/names.ts'
import { optionRows } from '../../../src/options/table.ts'
import { explainAlone } from '../../../src/run/op-errors.ts'
import { hutch } from '../../cli/hutch.ts'

afterEach(() => vi.restoreAllMocks())

const optionsIn = (text: string) => text.match(/--[a-z][\w-]*/g) ?? []
/** Options of other programs, in commands that a remedy gives. */
const ofOthers = /\b(hutch run|docker|podman|systemd-run|mount|usermod|apt-get|namei) [^;,)]*/g

const helpOf = async (name: string) => optionsIn((await hutch([name, '--help'])).stdout)
const frontends: [name: string, names: OptionNames, known: () => Promise<readonly string[]>][] = [
  ['library', libraryNames, async () => []],
  ['cli', commandLineNames, async () => optionRows.map(({ flag }) => `--${flag}`)],
  ['bwrap', bwrapNames, () => helpOf('bwrap')],
  ['unshare', dropinNames(unshareOptions), () => helpOf('unshare')],
  ['nsenter', dropinNames(nsenterOptions), () => helpOf('nsenter')],
  ['cgroup-tools', commandNames({}), async () => []],
]

const base = { origin: 'x' }
const steps = [
  { op: 'spawn', flags: 0x2000_0000, group: '', session: 0, ...base },
  { op: 'unshare', flags: 0x2000_0000, ...base },
  { op: 'joinNamespaces', paths: ['/proc/1/ns/net'], kinds: [0x4000_0000], ...base },
  { op: 'takeIds', uid: 0, gid: 0, groups: 1, ...base },
  { op: 'dropGroups', ...base },
  { op: 'setUser', uid: 1, gid: 1, groups: [], keepGroups: 0, keepCapabilities: 0, ...base },
  { op: 'setNice', nice: -5, ...base },
  { op: 'setOomScore', score: -5, ...base },
  { op: 'mount', source: 'proc', target: '/proc', type: 'proc', flags: 0, data: '', ...base },
  {
    op: 'attachTree',
    source: '/a',
    target: '/b',
    attributes: 0,
    absent: 0,
    recursive: 1,
    changes: [],
    links: 1,
    ...base,
  },
  {
    op: 'attachNew',
    type: 'sysfs',
    options: [],
    target: '/sys',
    attributes: 0,
    links: 0,
    source: '',
    beneath: 0,
    ...base,
  },
  { op: 'joinGroup', path: '/sys/fs/cgroup/x', ...base },
  { op: 'exec', argv: ['x'], env: [], path: '', reap: 0, ...base },
] as unknown as Op[]
const errnos = ['EPERM', 'EACCES', 'EINVAL', 'ENOSPC', 'EAGAIN', 'ENOENT', 'EBUSY', 'EOPNOTSUPP', 'EROFS', 'ENOMEM']

test.each(frontends)('%s', async (name, names, known) => {
  const options = await known()
  if (name !== 'library' && name !== 'cgroup-tools') expect(options.length).toBeGreaterThan(5)
  for (const uid of [0, 1000]) {
    vi.spyOn(process, 'geteuid').mockReturnValue(uid)
    for (const op of steps)
      for (const errno of errnos)
        for (const part of stepParts.keys()) {
          const { remedy } = nameOptions(
            explainAlone(op, errno, part, () => []),
            names,
          )
          const at = `${name} ${uid} ${op.op} ${errno} ${stepParts[part]}: ${remedy}`
          const foreign = optionsIn(remedy.replace(ofOthers, '')).filter((name) => !options.includes(name))
          expect([at, foreign]).toEqual([at, []])
          if (uid === 0) expect(at).not.toMatch(/(run )?as root\b(?! outside)/)
          expect(remedy).not.toBe('')
        }
    const { remedy } = nameOptions(fail('CAPABILITY_MISSING', { name: 'NET_RAW', origin: 'x' }), names)
    expect(optionsIn(remedy).filter((name) => !options.includes(name))).toEqual([])
  }
})

test('the names are those of the option tables', () => {
  for (const { key, kind, flag } of optionRows)
    if (key !== undefined && (kind !== 'mount' || flag === 'volume'))
      expect([key, commandLineNames.option(key)]).toEqual([key, `--${flag}`])
  expect(libraryNames.option('parent')).toBe('parent')
  expect(Object.keys(bwrapOptions)).toContain(bwrapNames.toolOptions!.userNamespace)
})

test('one error has the names of each front end, in one process', () => {
  const made = fail('CGROUP_THREADED', { directory: '/sys/fs/cgroup/a', type: 'threaded' })
  const error = addEvidence(made, ['a line'])
  expect(error.remedy).toBe('name a group of type "domain" with parent')
  const named = nameOptions(error, commandLineNames)
  expect(named).toMatchObject({ code: 'CGROUP_THREADED', errno: 'EOPNOTSUPP', evidence: ['a line'] })
  expect(named.message).toMatch(
    /^cannot make groups .*\n {2}a line\n {2}remedy: name a group of type "domain" with --parent$/,
  )
  expect(nameOptions(named, bwrapNames).remedy).toBe('name a group of type "domain" with hutch run --parent')
  expect(nameOptions(nameOptions(named, bwrapNames), libraryNames).message).toBe(error.message)
})

test('a command names its own options, other limits by their kernel file, and other options of hutch run', () => {
  const names = commandNames({ parent: {}, 'cpu-time': {}, limit: {} })
  expect(names.runOption('parent')).toBe('--parent')
  expect(names.runOption('limits.memory')).toBe('memory.max')
  expect(names.runOption('limits.memory', '64M')).toBe('memory.max=64M')
  expect(names.runOption('evacuate')).toBe('hutch run --evacuate')
  expect(names.runOption('limits.io.max', '8:0 rbps=1')).toBe("--limit 'io.max=8:0 rbps=1'")
  const every = commandNames(Object.fromEntries(optionRows.map(({ flag }) => [flag, {}])))
  for (const { key } of optionRows)
    if (key !== undefined) expect(every.runOption(key, '1')).toBe(commandLineNames.runOption(key, '1'))
})

test('a text keeps references to options when it becomes part of another', () => {
  const inner = text`give ${optionOfRun('limits.memory')}`
  const outer = text`first; or ${inner} (memory.max)`
  expect(inWords(outer, libraryNames)).toBe('first; or give limits.memory (memory.max)')
  expect(inWords(outer, commandLineNames)).toBe('first; or give --memory (memory.max)')
  expect(withOption('with %', 'isolate', 'none')).toEqual({ words: 'with %', option: 'isolate', value: 'none' })
})

/** Facts of every name: each property has this value. */
const factsOf = (value: unknown) => new Proxy({}, { get: () => value })

test('no error puts a reference to an option into a text as it is', () => {
  const shown = codes().flatMap((code) =>
    ['x', undefined, 'EOPNOTSUPP', ['x'], 1].flatMap((value) => {
      try {
        return fail(code, factsOf(value) as never).message
      } catch {
        // this row cannot have such facts
        return []
      }
    }),
  )
  expect(shown.length).toBeGreaterThan(codes().length * 2)
  expect(shown.filter((message) => message.includes('[object'))).toEqual([])
})
