// SPDX-License-Identifier: Apache-2.0
// Command lines of unshare and nsenter → programs, with good and random words; and who is given which descriptor.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { getopt } from '../../../src/dropin/getopt.ts'
import { type IdFacts, insertOwn } from '../../../src/dropin/util-linux/id-range.ts'
import { options as nsenterOptions, parseNsenter, type TargetFacts } from '../../../src/dropin/util-linux/nsenter.ts'
import { compileNsenter } from '../../../src/dropin/util-linux/nsenter-program.ts'
import { options, parseUnshare } from '../../../src/dropin/util-linux/unshare.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { chooseInherited } from '../../../src/host/inherited-fds.ts'
import { explainBadMap, idInside } from '../../../src/namespaces/id-map.ts'
import { explainProgram } from '../../../src/ops/explain.ts'
import type { Program } from '../../../src/ops/ops.ts'
import { encodeProgram } from '../../../src/ops/wire.ts'
import { compileUnshare, type Launch } from '../../../src/plan/unshare.ts'

const facts: IdFacts = {
  uid: 1000,
  gid: 1001,
  permitted: '0',
  delegation: () => ({
    users: [{ start: 100_000, count: 65_536 }],
    groups: [{ start: 200_000, count: 65_536 }],
    userTool: '/usr/bin/newuidmap',
    groupTool: '/usr/bin/newgidmap',
  }),
  ownMap: () => '         0          0 4294967295\n',
}
const target: TargetFacts = {
  exists: () => true,
  owner: (path) => `${path}-owner`,
  isOwn: () => false,
  socketNetwork: (target, fd) => `/proc/${target}/fd/${fd}-network`,
  ids: () => ({ uid: 7, gid: 8 }),
  group: () => '/sys/fs/cgroup/x/cgroup.procs',
}
const launch: Launch = { words: ['true'], shell: '/bin/sh', env: ['PATH=/bin'], descriptors: [] }
const unshare = (line: string, more: Partial<Launch> = {}) =>
  compileUnshare(parseUnshare(getopt(line.split(' ').filter(Boolean), options, false), facts), { ...launch, ...more })
const nsenter = (line: string) =>
  compileNsenter(parseNsenter(getopt(line.split(' ').filter(Boolean), nsenterOptions, false), target), launch)
const ops = ({ outer, inner }: Program) => [...outer, ...inner].map(({ op }) => op).join(' ')

test.for([
  ['', 'spawn wait dieWithParent exec'],
  ['-p', 'spawn wait unshare dieWithParent exec'],
  ['-pf --mount-proc', 'spawn wait mount mount exec'],
  ['-pf --kill-child', 'spawn wait unshare fork exec'],
  ['-r', 'spawn wait unshare writeOwnFile writeOwnFile writeOwnFile dieWithParent exec'],
  ['-r --map-auto', 'spawn mapIds wait unshare awaitMaps dieWithParent exec'],
  ['-m --propagation unchanged -R / -w tmp', 'spawn wait unshare changeRoot changeDirectory dieWithParent exec'],
  ['--net=/n -f', 'spawn bindNamespaces wait unshare fork awaitMaps exec'],
  ['-S 5 -U --keep-caps', 'spawn wait unshare takeIds keepCapabilities dieWithParent exec'],
] as const)('unshare %s is %s', ([line, expected]) => {
  expect(ops(unshare(line))).toBe(expected)
})

test.for([
  ['', 'spawn wait dieWithParent exec'],
  ['-t 5 -n', 'spawn wait joinNamespaces dieWithParent exec'],
  ['-t 5 -a', 'spawn wait dropGroups joinNamespaces fork takeIds exec'],
  [
    '-t 5 -a -F -r -w --preserve-credentials',
    'spawn wait holdDirectories joinNamespaces enterDirectories dieWithParent exec',
  ],
  ['-t 5 -c -S follow', 'spawn wait joinGroup takeIds dieWithParent exec'],
] as const)('nsenter %s is %s', ([line, expected]) => {
  expect(ops(nsenter(line))).toBe(expected)
})

test('without a program it is a login shell', () => {
  expect(unshare('', { words: [], shell: '/bin/bash' }).inner.at(-1)).toMatchObject({
    op: 'execFile',
    file: '/bin/bash',
    argv: ['-bash'],
  })
})

const word = fc.oneof(
  fc
    .constantFrom(...Object.keys(options), ...Object.keys(nsenterOptions))
    .map((key) => (key.length > 1 ? `--${key}` : `-${key}`)),
  fc
    .tuple(
      fc.constantFrom(...Object.values(options).flatMap(({ long = [] }) => long), 'map-users', 'owner'),
      fc.string(),
    )
    .map(([name, value]) => `--${name}=${value}`),
  fc.constantFrom('0', '5', 'auto', '0:5:9', '5,5,5', 'deny', 'private', 'TERM', '-1', '/proc/1/ns/net', 'follow'),
  fc.string(),
)

test('random words are a program that can be encoded and explained, or an error with a remedy', () => {
  for (const make of [unshare, nsenter])
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        try {
          const program = make(words.join(' '))
          encodeProgram(program)
          for (const step of explainProgram(program)) expect(step.words).not.toBe('')
        } catch (error) {
          if (!HutchError.is(error)) throw error
          expect(error.message.split('\n').at(-1)).toMatch(/remedy: ./)
        }
      }),
      { numRuns: 1000 },
    )
})

test('ranges make room for the own id, once on each side', () => {
  const extent = fc.record({
    inside: fc.integer({ min: 0, max: 50 }),
    outside: fc.integer({ min: 0, max: 50 }),
    count: fc.integer({ min: 1, max: 30 }),
  })
  fc.assert(
    fc.property(extent, fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 90 }), (one, inside, outside) => {
      const extents = insertOwn([one], inside, outside)
      expect(explainBadMap(extents)).toBeUndefined()
      expect(idInside(extents, outside)).toBe(inside)
      const total = extents.reduce((sum, { count }) => sum + count, 0)
      expect(total).toBeGreaterThanOrEqual(one.count)
    }),
  )
})

test('descriptors of the caller are told from those of Node', () => {
  const cloexec = 0o2000000
  const from = (number: number, target: string, flags: number) => ({ number, target, flags })
  const all = [
    from(0, '/dev/null', 0),
    from(3, '/etc/passwd', cloexec),
    from(4, 'pipe:[1]', cloexec),
    from(5, 'pipe:[2]', cloexec),
    from(6, 'pipe:[2]', cloexec | 1),
    from(7, 'anon_inode:[eventpoll]', cloexec | 2),
    from(8, 'anon_inode:[eventfd]', 2),
    from(9, '/dev/null', cloexec | 1),
    from(10, '/dev/null', cloexec),
    from(63, 'pipe:[3]', 0),
  ]
  expect(chooseInherited(all)).toEqual([3, 4, 8, 9, 63])
})
