// SPDX-License-Identifier: Apache-2.0
// Command lines of bwrap → programs, with good and random words.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bwrapOptions } from '../../../src/dropin/bubblewrap/option-table.ts'
import { parseBwrap, wantsLevelPrefix } from '../../../src/dropin/bubblewrap/options.ts'
import { type BwrapFacts, compileBwrap, planBwrap } from '../../../src/dropin/bubblewrap/program.ts'
import { type BwrapRequest, renumberDescriptor, usedDescriptors } from '../../../src/dropin/bubblewrap/request.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { explainProgram } from '../../../src/ops/explain.ts'
import type { Op } from '../../../src/ops/ops.ts'
import { encodeProgram } from '../../../src/ops/wire.ts'

const root: BwrapFacts = {
  uid: 0,
  gid: 0,
  permitted: [0, 1, 5],
  known: [0, 1, 2, 3, 4, 5],
  possible: new Set(['user', 'cgroup']),
  directories: ['/home', '/'],
}
const user: BwrapFacts = { ...root, uid: 1000, gid: 1001, permitted: [] }
const noArgs = () => ''

function request(line: string, readArgs: (descriptor: number) => string = noArgs): BwrapRequest {
  const parsed = parseBwrap(line.split(' ').filter(Boolean), readArgs)
  if ('show' in parsed) throw new Error('no request')
  return parsed.request
}

function compile(line: string, facts = root) {
  const parsed = parseBwrap(line.split(' ').filter(Boolean), noArgs)
  if ('show' in parsed) throw new Error('no request')
  const launch = { words: ['true'], shell: '', env: ['PATH=/bin'], descriptors: [], filters: [] }
  return compileBwrap(planBwrap(parsed.request, parsed.asks, facts), launch)
}

const names = (ops: readonly Op[]) => ops.map(({ op }) => op).join(' ')
const find = <N extends Op['op']>(ops: readonly Op[], name: N) =>
  ops.filter((op): op is Extract<Op, { op: N }> => op.op === name)

test.for([
  ['', root, 'mount emptyRoot pivotRoot chooseDirectory noNewPrivileges exec'],
  ['--bind / /', root, 'mount emptyRoot makeMissing attachTree pivotRoot chooseDirectory noNewPrivileges exec'],
  ['', user, 'awaitMaps mount emptyRoot pivotRoot chooseDirectory dropBounding setCapabilities noNewPrivileges exec'],
  [
    '--userns 3 --unshare-pid',
    user,
    'closeOnExec enterDescriptor unshare fork mount emptyRoot pivotRoot chooseDirectory dropBounding setCapabilities noNewPrivileges exec',
  ],
  [
    '--unshare-user --disable-userns --block-fd 5 --new-session --die-with-parent',
    root,
    'closeOnExec awaitMaps mount emptyRoot pivotRoot blockOn nestUser refuseUsers chooseDirectory newSession dropBounding setCapabilities noNewPrivileges dieWithParent exec',
  ],
] as const)('%s is %s', ([line, facts, expected]) => {
  expect(names(compile(line, facts).inner)).toBe(expected)
})

test('terminals take a user namespace around that of the program, in which root is mapped', () => {
  const { outer, inner } = compile('--dev /dev', user)
  expect(find(outer, 'mapIds')[0]?.users).toEqual(['0', '1000', '1'])
  expect(find(inner, 'nestUser')[0]).toMatchObject({ users: '1000 0 1\n', groups: '1001 0 1\n', limit: 0 })
  expect(find(compile('--dev /dev').inner, 'nestUser')).toEqual([])
})

test('capabilities are added and dropped in the order given', () => {
  const set = (line: string, facts = root) => find(compile(line, facts).inner, 'setCapabilities')[0]
  expect(set('')).toBeUndefined()
  expect(set('--cap-drop ALL --cap-add CAP_KILL')).toMatchObject({ permitted: 32, inheritable: 32, ambient: 32 })
  expect(set('--cap-add CAP_KILL --cap-drop ALL')).toMatchObject({ permitted: 0 })
  // nobody can be given what the caller does not have, but in a user namespace
  expect(set('--cap-add ALL')).toMatchObject({ permitted: 35 })
  expect(set('--cap-add ALL --unshare-user')).toMatchObject({ permitted: 63 })
  expect(set('--cap-add CAP_KILL', user)).toMatchObject({ permitted: 32, ambient: 32 })
})

test('directories on the way are closed to whom what is made is closed', () => {
  const parents = (line: string) => find(compile(line).inner, 'makeMissing').map((op) => op.parents.toString(8))
  expect(parents('--bind / /a')).toEqual(['700'])
  expect(parents('--tmpfs /a')).toEqual(['755'])
  expect(parents('--perms 0750 --dir /a --perms 0604 --dir /b')).toEqual(['750', '705'])
})

test('--args reads more options, which end with the first word that is none', () => {
  const texts: { [descriptor: number]: string } = { 3: '--setenv\0A\0b\0', 4: '--uid\x007\0word\0--no-such' }
  const { environment, uid, words } = request('--args 3 --args 4 echo x', (descriptor) => texts[descriptor]!)
  expect([environment, uid, words]).toEqual([[{ name: 'A', value: 'b' }], 7, ['echo', 'x']])
})

test('a level is said as soon as the option stands there', () => {
  expect(wantsLevelPrefix(['--bind', 'a', '--level-prefix', '--level-prefix'])).toBe(true)
  expect(wantsLevelPrefix(['--bind', 'a', 'b', 'x', '--level-prefix'])).toBe(false)
})

test('descriptors get other numbers wherever they are used', () => {
  const line = '--file 40 /a --bind-fd 40 /b --sync-fd 40 --block-fd 40 --userns 3'
  expect(usedDescriptors(request(line)).sort()).toEqual([3, 40])
  expect(usedDescriptors(renumberDescriptor(request(line), 40, 7)).sort()).toEqual([3, 7])
})

test('any words give a program or an error that is said in words', () => {
  const options = Object.keys(bwrapOptions)
  const word = fc.oneof(
    fc.constantFrom(...options),
    fc.constantFrom('/', '/a/b', '3', '0', '-1', 'ALL', 'CAP_KILL', '0700', 'x', '', '--'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.boolean(), (args, isRoot) => {
      try {
        const parsed = parseBwrap(args, () => 'a\0b')
        if ('show' in parsed) return
        const launch = { words: ['true'], shell: '', env: [], descriptors: [], filters: [[6, 0]] }
        const program = compileBwrap(planBwrap(parsed.request, parsed.asks, isRoot ? root : user), launch)
        expect(encodeProgram(program).length).toBeGreaterThan(16)
        for (const { words } of explainProgram(program)) expect(words).not.toBe('')
      } catch (error) {
        if (!HutchError.is(error)) throw error
        expect(error.message).toContain('remedy:')
      }
    }),
    { numRuns: 3000 },
  )
})

test('options of which the last counts are told when they are repeated', () => {
  const repeated = (line: string) => {
    const parsed = parseBwrap(line.split(' '), noArgs)
    return 'show' in parsed ? [] : [...parsed.repeated]
  }
  expect(repeated('--chdir / --chdir /tmp --uid 1 --uid 2 --block-fd 8 true')).toEqual(['--chdir', '--uid'])
  expect(repeated('--setenv A b --setenv A c --bind / / --bind / / --lock-file /a --lock-file /b true')).toEqual([])
})
