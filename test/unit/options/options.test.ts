// SPDX-License-Identifier: Apache-2.0
// Options of the library: what is accepted, and what errors say.
import { anything, array, assert, constantFrom, dictionary, oneof, property, record, string } from 'fast-check'
import { expect, test } from 'vitest'
import { formatFile } from '../../../src/cgroup/format-file.ts'
import { parseFlags } from '../../../src/cli/flags.ts'
import { flags } from '../../../src/cli/run.ts'
import { HutchError, quote } from '../../../src/errors/errors.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { limitRowOf } from '../../../src/options/table.ts'
import { nearest } from '../../../src/text/nearest.ts'

const parse = (options: unknown, frontend: 'cli' | 'library' = 'library') =>
  parseOptions('true', [], options as RunOptions, frontend, formatFile)

test('options become a spec', () => {
  expect(
    parse({
      limits: { memory: '50M', swap: 0, pids: 5, cpus: 0.5, oomGroup: true, 'memory.high': '40M' },
      isolate: ['pid', 'mount'],
      timeout: '2s',
      env: { A: 'b' },
      user: 'nobody',
    }),
  ).toEqual({
    joins: [],
    privileges: { capAdd: [], capDrop: [], newPrivileges: false, ulimits: [] },
    frontend: 'library',
    command: 'true',
    args: [],
    limits: [
      { file: 'memory.max', value: '52428800', origin: 'limits.memory' },
      { file: 'memory.swap.max', value: '0', origin: 'limits.swap' },
      { file: 'pids.max', value: '5', origin: 'limits.pids' },
      { file: 'cpu.max', value: '50000 100000', origin: 'limits.cpus' },
      { file: 'memory.oom.group', value: '1', origin: 'limits.oomGroup' },
      { file: 'memory.high', value: '41943040', origin: "limits['memory.high']" },
    ],
    isolate: ['mount', 'pid'],
    init: true,
    env: { A: 'b' },
    user: 'nobody',
    timeoutMs: 2000,
    killAfterMs: 5000,
    stopSignal: 15,
    sysctls: [],
  })
})

test('a root of its own comes with the default filter, unless another is named', () => {
  const wish = (options: object) => parse(options).seccomp
  const contained = { own: 'default', comesWith: 'rootfs' }
  expect(wish({ rootfs: '/image' })).toEqual(contained)
  expect(wish({ rootfs: '/image', seccomp: undefined })).toEqual(contained)
  expect(wish({ rootfs: '/image', seccomp: 'none' })).toBeUndefined()
  expect(wish({ rootfs: '/image', seccomp: 'strict' })).toEqual({ own: 'strict' })
  expect(wish({ rootfs: '/image', sandbox: true })).toEqual({ own: 'strict' })
  expect(wish({ readOnly: true })).toBeUndefined()
})

test.each([
  [{ memry: 1 }, 'OPTION_UNKNOWN', 'memry'],
  [{ limits: { memroy: 1 } }, 'OPTION_UNKNOWN', 'did you mean memory?'],
  [{ limits: null }, 'OPTION_INVALID', 'limits'],
  [{ limits: { memory: -1 } }, 'OPTION_INVALID', 'limits.memory: negative'],
  [{ limits: { pids: 0 } }, 'OPTION_INVALID', 'limits.pids: no program can run in it'],
  [{ limits: { oomGroup: 'yes' } }, 'OPTION_INVALID', 'limits.oomGroup'],
  [{ limits: { 'cgroup.procs': 1 } }, 'OPTION_INVALID', 'this file controls the group'],
  [{ limits: { 'a.b\n': 1 } }, 'OPTION_INVALID', 'not the name of a controller file'],
  [{ limits: { 'memory.max': '1\n2' } }, 'OPTION_INVALID', 'a value is one line of text'],
  [{ limits: { memory: 1, 'memory.max': 2 } }, 'OPTION_CONFLICT', 'limits.memory sets memory.max too'],
  [{ isolate: 'pid' }, 'OPTION_INVALID', 'not a list of namespaces'],
  [{ isolate: [Object.create(null)] }, 'OPTION_INVALID', 'there is no such namespace'],
  [{ isolate: ['__proto__'] }, 'OPTION_INVALID', 'there is no such namespace'],
  [{ init: 1 }, 'OPTION_INVALID', 'init'],
  [{ hostname: 'a b' }, 'OPTION_INVALID', 'hostname'],
  [{ hostname: 'x', isolate: [] }, 'OPTION_CONFLICT', 'it would rename this host'],
  [{ workdir: 'a\0b' }, 'OPTION_INVALID', 'workdir'],
  [{ env: { 'A=B': 'c' } }, 'OPTION_INVALID', 'this cannot be the name of a variable'],
  [{ env: { A: 1 } }, 'OPTION_INVALID', 'a value is a string without NUL'],
  [{ timeout: -5 }, 'OPTION_INVALID', 'timeout'],
  [{ parent: '../x' }, 'CGROUP_PARENT_INVALID', 'no ".", ".."'],
  [{ parent: '' }, 'CGROUP_PARENT_INVALID', 'it names no group'],
] as const)('%j is refused as %s', (options, code, words) => {
  expect(() => parse(options)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }))
})

test('a command without text is missing, one with NUL is refused', () => {
  expect(() => parseOptions('', [], {}, 'cli')).toThrow(expect.objectContaining({ code: 'COMMAND_MISSING' }))
  expect(() => parseOptions('a\0', [], {}, 'cli')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  expect(() => parseOptions('a', ['b\0'], {}, 'cli')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})

test('random options give a spec or a HutchError, whose last line is a remedy', () => {
  const value = oneof(anything(), constantFrom('50M', 'max', 5, 0, '0.5', true))
  const limits = dictionary(oneof(constantFrom(...Object.keys(limitRowOf), 'memory.high', 'a.b'), string()), value)
  const options = record(
    {
      limits: oneof(limits, anything()),
      isolate: anything(),
      init: anything(),
      hostname: anything(),
      workdir: anything(),
      env: anything(),
      user: anything(),
      timeout: anything(),
      killAfter: anything(),
      parent: anything(),
      rootfs: anything(),
      readOnly: anything(),
      dev: anything(),
      mounts: oneof(
        array(oneof(dictionary(constantFrom('volume', 'tmpfs', 'overlay'), value), anything())),
        anything(),
      ),
    },
    { requiredKeys: [] },
  )
  assert(
    property(options, constantFrom('cli', 'library'), (given, frontend) =>
      onlyHutchErrors(() => parse(given, frontend as 'cli')),
    ),
    { numRuns: 2000 },
  )
})

test('random command lines give flags or a HutchError', () => {
  const word = oneof(
    string(),
    constantFrom(...Object.keys(flags).map((name) => `--${name}`), '--', '-m', '-v', '--memory=5M', '-'),
  )
  assert(
    property(array(word), (args) => onlyHutchErrors(() => parseFlags(args, flags))),
    { numRuns: 2000 },
  )
})

function onlyHutchErrors(act: () => unknown) {
  try {
    act()
  } catch (error) {
    expect(HutchError.is(error)).toBe(true)
    expect((error as Error).message).toMatch(/\n {2}remedy: .+$/)
  }
}

test.each([
  [
    ['--memory', '5M', 'ls', '--memory'],
    { values: { memory: ['5M'] }, order: [['memory', '5M']], rest: ['ls', '--memory'] },
  ],
  [['-m', '5M', '--', '--x'], { values: { memory: ['5M'] }, order: [['memory', '5M']], rest: ['--x'] }],
  [
    ['--limit', 'a=1', '--limit=b=2', 'x'],
    {
      values: { limit: ['a=1', 'b=2'] },
      order: [
        ['limit', 'a=1'],
        ['limit', 'b=2'],
      ],
      rest: ['x'],
    },
  ],
  [
    ['--memory', '5M', '--memory', '6M', 'x'],
    {
      values: { memory: ['6M'] },
      order: [
        ['memory', '5M'],
        ['memory', '6M'],
      ],
      rest: ['x'],
    },
  ],
  [[], { values: {}, order: [], rest: [] }],
] as const)('the words %j are split into flags and command', (args, parsed) =>
  expect(parseFlags([...args], flags)).toEqual(parsed),
)

test('the nearest known word is one that may have been meant', () => {
  const known = ['memory', 'memoryHigh', 'pids', 'cpus']
  expect(['memroy', 'memor', 'pid', 'cpu', 'zebra', ''].map((word) => nearest(word, known))).toEqual([
    'memory',
    'memory',
    'pids',
    'cpus',
    undefined,
    undefined,
  ])
})

test('foreign text cannot steer a terminal, and is cut', () => {
  expect(quote('a\x1b[31mb\n')).toBe('"a\\x1b[31mb\\x0a"')
  expect(quote('plain-1.5G')).toBe('plain-1.5G')
  expect(quote('x'.repeat(300))).toBe(`"${'x'.repeat(200)}… (300 characters)"`)
  expect(quote({ a: 1 })).toBe('"{"a":1}"')
  expect(quote('a "b" \\ \u202ec')).toBe('"a \\"b\\" \\\\ \\u{202e}c"')
})
