// SPDX-License-Identifier: Apache-2.0
// Options that were parsed before give the same Spec as options that are parsed anew.
import { expect, test } from 'vitest'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { knownSpec } from '../../../src/run/known-spec.ts'

const parseKnown = (file: string, args: readonly string[], options: RunOptions) =>
  knownSpec(file, args, options, (input) => parseOptions(file, args, input, 'library'))

const all: RunOptions[] = [
  {},
  { sandbox: true },
  { sandbox: { network: 'none' }, limits: { memory: '50M', pids: 20 } },
  { limits: { memory: '50M' }, isolate: ['pid', 'mount'], env: { A: 'b' }, timeout: 1000 },
  { rootfs: '/image', mounts: [{ tmpfs: '/tmp' }, { volume: '/a:/b' }], capDrop: 'ALL', ulimits: { nofile: 64 } },
]

test.each(all)('%j', (options) => {
  for (const [file, ...args] of [['true'], ['echo', 'a'], ['echo', 'b', 'c']] as [string, ...string[]][])
    for (let round = 0; round < 2; round++)
      expect(parseKnown(file, args, options)).toEqual(parseOptions(file, args, options, 'library'))
})

test('the caller can change its options between two calls, and they are never frozen', () => {
  const options = { isolate: ['pid'] as ['pid' | 'net'], env: { A: 'b' }, limits: { pids: 5 } }
  const first = parseKnown('true', [], options)
  options.isolate[0] = 'net'
  options.env.A = 'c'
  expect(parseKnown('true', [], options)).toEqual(parseOptions('true', [], options, 'library'))
  expect(first).toEqual(parseOptions('true', [], { ...options, isolate: ['pid'], env: { A: 'b' } }, 'library'))
})

test('each call checks the command', () => {
  parseKnown('true', [], {})
  expect(() => parseKnown('', [], {})).toThrow('command')
  expect(() => parseKnown('true', ['a\0b'], {})).toThrow('NUL')
})

test('options of different types are told apart', () => {
  parseKnown('true', [], { timeout: 1000 })
  expect(parseKnown('true', [], { timeout: '1000' } as RunOptions)).toEqual(
    parseOptions('true', [], { timeout: '1000' } as RunOptions, 'library'),
  )
})
