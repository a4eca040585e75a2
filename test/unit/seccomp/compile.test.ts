// SPDX-License-Identifier: Apache-2.0
// The compiler: each filter is run, and says what its profile means.
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { families, isSyscall, machines, syscallNumbers } from '../../../src/seccomp/arch.ts'
import { findCompiled, variants } from '../../../src/seccomp/builtin.ts'
import { compiled } from '../../../src/seccomp/builtin-filters.generated.ts'
import { commonCalls } from '../../../src/seccomp/common-calls.ts'
import { compileFilter, severity } from '../../../src/seccomp/compile.ts'
import { defaultGroups, defaultProfile } from '../../../src/seccomp/default.ts'
import {
  type ArgumentCondition,
  actions,
  conditionOps,
  type Profile,
  type ProfileFacts,
  type SeccompRule,
} from '../../../src/seccomp/profile.ts'
import { left, strictGroups, strictProfile } from '../../../src/seccomp/strict.ts'
import { runFilter } from '../../seccomp/bpf.ts'

const facts: ProfileFacts = { machine: 'x86_64', kernel: [6, 1], capabilities: [] }
const x86_64 = 0xc000_003e
const x86 = 0x4000_0003
const refused = actions.errno | 1
const numberOf = (name: string) => syscallNumbers('x86_64').get(name)!
const ask = (words: readonly number[], name: string, ...args: bigint[]) =>
  runFilter(words, { number: numberOf(name), machine: x86_64, args })

function holds({ index, op, value, mask = 0n }: ArgumentCondition, args: readonly bigint[]): boolean {
  const arg = args[index]!
  return {
    NE: arg !== value,
    LT: arg < value,
    LE: arg <= value,
    EQ: arg === value,
    GE: arg >= value,
    GT: arg > value,
    MASKED_EQ: (arg & mask) === (value & mask),
  }[op]
}

/** What a profile means, said in the plainest way. */
function meaning(profile: Profile, name: string, args: readonly bigint[]): number {
  const fitting = profile.rules.filter(
    ({ names, conditions }) => names.includes(name) && conditions.every((condition) => holds(condition, args)),
  )
  const named = profile.rules.flatMap((one) => one.names.map(numberOf))
  const permissive = [actions.allow, actions.log, actions.trace].map(severity).includes(severity(profile.defaultAction))
  if (!permissive && named.length > 0 && numberOf(name) > Math.max(...named)) return actions.errno | 38
  const [worst] = fitting.map(({ action }) => action).toSorted((a, b) => severity(a) - severity(b))
  return worst ?? profile.defaultAction
}

const edge = fc.constantFrom(
  0n,
  1n,
  2n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0xffff_ffff_0000_0000n,
  0xffff_ffff_ffff_ffffn,
)
const value = fc.oneof(edge, fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }))
const condition = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  op: fc.constantFrom(...conditionOps),
  value,
  mask: value,
})
const action = fc.constantFrom(
  actions.killProcess,
  actions.killThread,
  actions.trap,
  refused,
  actions.errno | 95,
  actions.notify,
  actions.trace | 3,
  actions.log,
  actions.allow,
)
const names = ['read', 'write', 'socket', 'clone', 'ioctl', 'futex', 'openat']
const rule = fc.record({
  names: fc.subarray(names, { minLength: 1 }),
  action,
  conditions: fc.array(condition, { maxLength: 4 }),
})
const profile = fc.record({
  architectures: fc.constant([]),
  defaultAction: action,
  rules: fc.array(rule, { maxLength: 12 }),
  flags: fc.constant(0),
})

test('a filter answers what its profile means', () => {
  fc.assert(
    fc.property(profile, fc.array(fc.array(edge, { minLength: 6, maxLength: 6 }), { minLength: 5 }), (some, calls) => {
      const { words } = compileFilter(some, facts, 'test')
      // what the conditions name, too
      const near = some.rules.map(({ conditions }) =>
        Array.from({ length: 6 }, (_, i) => conditions.find(({ index }) => index === i)?.value ?? 0n),
      )
      for (const name of [...names, 'close'])
        for (const args of [...calls, ...near]) expect(ask(words, name, ...args)).toBe(meaning(some, name, args))
    }),
  )
})

test('the same profile gives the same filter', () => {
  fc.assert(
    fc.property(profile, (some) => {
      expect(compileFilter(some, facts, 'test')).toEqual(compileFilter(structuredClone(some), facts, 'test'))
    }),
    { numRuns: 20 },
  )
})

test('what lies further than a jump reaches is reached', () => {
  const rules = [...syscallNumbers('x86_64').keys()].map(
    (name, i): SeccompRule => ({
      names: [name],
      action: actions.errno | (i + 1),
      conditions: [{ index: 0, op: 'EQ', value: BigInt(i) + 0x1_0000_0000n }],
    }),
  )
  const { words } = compileFilter({ architectures: [], defaultAction: actions.allow, rules, flags: 0 }, facts, 'test')
  expect(words.length / 2).toBeGreaterThan(1000)
  for (const [i, { names }] of rules.entries()) {
    expect(ask(words, names[0]!, BigInt(i) + 0x1_0000_0000n)).toBe(actions.errno | (i + 1))
    expect(ask(words, names[0]!, BigInt(i))).toBe(actions.allow)
  }
})

test('a filter that is longer than the kernel takes is refused', () => {
  const rules = Array.from(
    { length: 2000 },
    (_, i): SeccompRule => ({
      names: ['read'],
      action: actions.allow,
      conditions: [{ index: 0, op: 'GT', value: BigInt(i) }],
    }),
  )
  const large = { architectures: [], defaultAction: actions.allow, rules: [...rules], flags: 0 }
  expect(() => compileFilter({ ...large, defaultAction: refused }, facts, '--seccomp large.json')).toThrow(
    /^cannot use --seccomp large.json: its filter has \d{4,} instructions, and the kernel accepts at most 4096/,
  )
})

test('other instruction sets: those named are filtered by their own numbers, others end the process', () => {
  const rules = [{ names: ['getpid'], action: actions.allow, conditions: [] }]
  const base = { defaultAction: refused, rules, flags: 0 }
  const alone = compileFilter({ ...base, architectures: [] }, facts, 'test').words
  const both = compileFilter({ ...base, architectures: ['x86', 'x32'] }, facts, 'test').words
  const at = (words: number[], machine: number, number: number) => runFilter(words, { machine, number, args: [] })
  expect(at(alone, x86_64, 39)).toBe(actions.allow)
  for (const [machine, number] of [
    [x86, 20],
    [x86_64, 0x4000_0027],
    [0xc000_00b7, 172],
    [0, 0],
  ] as const)
    expect([machine, number, at(alone, machine, number)]).toEqual([machine, number, actions.killProcess])
  expect(at(both, x86, 20)).toBe(actions.allow)
  expect(at(both, x86, 10)).toBe(refused)
  expect(at(both, x86_64, 0x4000_0027)).toBe(actions.allow)
  expect(at(both, 0xc000_00b7, 172)).toBe(actions.killProcess)
})

test('on i386 what is behind socketcall and ipc is found there', () => {
  const socketcall = syscallNumbers('x86').get('socketcall')!
  const filter = (action: number, defaultAction: number, conditions: ArgumentCondition[]) =>
    compileFilter(
      { architectures: ['x86'], defaultAction, rules: [{ names: ['bind'], action, conditions }], flags: 0 },
      facts,
      'test',
    ).words
  const second = (words: number[]) => runFilter(words, { machine: x86, number: socketcall, args: [2n] })
  const some: ArgumentCondition[] = [{ index: 0, op: 'EQ', value: 7n }]
  expect(second(filter(actions.allow, refused, []))).toBe(actions.allow)
  // its arguments are in memory: a permission cannot be checked, so it is none, and a refusal is one
  expect(second(filter(actions.allow, refused, some))).toBe(refused)
  expect(second(filter(refused, actions.allow, some))).toBe(refused)
})

test('a call that no table has answers ENOSYS, unless the default is permissive', () => {
  const filter = (defaultAction: number) =>
    compileFilter({ architectures: [], defaultAction, rules: [], flags: 0 }, facts, 'test').words
  const newer = { machine: x86_64, number: 4000, args: [] }
  for (const action of [refused, actions.killProcess, actions.killThread, actions.trap])
    expect(runFilter(filter(action), newer)).toBe(actions.errno | 38)
  for (const action of [actions.allow, actions.log, actions.trace])
    expect(runFilter(filter(action), newer)).toBe(action)
})

test('a call above the newest one that the selected rules name answers ENOSYS, per instruction set', () => {
  const profile: Profile = {
    architectures: ['x86'],
    defaultAction: refused,
    rules: [
      { names: ['read', 'statx', 'futex_time64'], action: actions.allow, conditions: [] },
      { names: ['openat2'], action: actions.allow, conditions: [], includes: { capabilities: [21] } },
    ],
    flags: 0,
  }
  const { words } = compileFilter(profile, facts, 'test')
  expect(ask(words, 'statx')).toBe(actions.allow)
  expect(ask(words, 'rseq')).toBe(actions.errno | 38)
  expect(ask(words, 'clone3')).toBe(actions.errno | 38)
  // below the newest named one the profile's own answer counts
  expect(ask(words, 'bpf')).toBe(refused)
  const askX86 = (name: string) =>
    runFilter(words, { machine: x86, number: syscallNumbers('x86').get(name)!, args: [] })
  expect(askX86('futex_time64')).toBe(actions.allow)
  expect(askX86('rseq')).toBe(refused)
  expect(askX86('clone3')).toBe(actions.errno | 38)
  // a tracer's -1 is not a new call
  expect(runFilter(words, { machine: x86_64, number: 0xffff_ffff, args: [] })).toBe(refused)
  const capable = compileFilter(profile, { ...facts, capabilities: [21] }, 'test').words
  expect([ask(capable, 'clone3'), ask(capable, 'faccessat2')]).toEqual([refused, actions.errno | 38])
})

test('the filters compiled beforehand are those that the compiler makes: node scripts/filters.js', () => {
  for (const machine of Object.keys(families))
    for (const [name, { profile, capabilities }] of Object.entries(variants)) {
      const own = profile === 'strict' ? strictProfile : defaultProfile
      const fresh = compileFilter(own, { machine, kernel: [6, 1], capabilities }, 'test')
      expect([machine, name, findCompiled(profile, machine, capabilities)]).toEqual([machine, name, fresh])
    }
  expect(Object.keys(compiled)).toEqual(Object.keys(families))
})

test("capabilities that make no difference find it, too, and others don't", () => {
  const every = Array.from({ length: 41 }, (_, i) => i)
  expect(findCompiled('default', 'x86_64', every)).toEqual(
    compileFilter(defaultProfile, { ...facts, capabilities: every }, 'test'),
  )
  expect(findCompiled('strict', 'x86_64', every)).toEqual(compileFilter(strictProfile, facts, 'test'))
  expect(findCompiled('default', 'x86_64', [0, 1, 5])).toBeDefined()
  expect(findCompiled('default', 'x86_64', [25])).toBeUndefined()
})

test('own profiles name calls that there are', () => {
  const groups = [...commonCalls, ...defaultGroups, ...strictGroups]
  const all = groups.flatMap(({ calls }) => calls.trim().split(/\s+/))
  expect(all.filter((name) => !isSyscall(name))).toEqual([])
})

test('strict refuses all that it says, and says of every call whether it does', () => {
  const strict = findCompiled('strict', 'x86_64', [])!.words
  for (const name of Object.values(left).flatMap((calls) => calls.trim().split(/\s+/))) {
    expect([name, isSyscall(name)]).toEqual([name, true])
    if (numberOf(name) !== undefined) expect([name, ask(strict, name)]).toEqual([name, refused])
  }
  // whatever is neither allowed nor said to be left out was forgotten
  const named = new Set(
    [...strictGroups.map(({ calls }) => calls), ...Object.values(left)].flatMap((calls) => calls.trim().split(/\s+/)),
  )
  expect([...syscallNumbers('x86_64').keys()].filter((name) => !named.has(name))).toEqual([])
})

test('strict: sockets by family, requests to terminals by their low half, no new namespaces', () => {
  const strict = findCompiled('strict', 'x86_64', [])!.words
  const socket = (...args: bigint[]) => ask(strict, 'socket', ...args)
  expect([1n, 2n, 10n].map((family) => socket(family, 1n, 0n))).toEqual([actions.allow, actions.allow, actions.allow])
  expect([3n, 16n, 17n, 38n, 40n, 0x1_0000_0001n].map((family) => socket(family, 3n, 9n))).toEqual(
    Array(6).fill(refused),
  )
  expect(socket(16n, 3n, 0n)).toBe(actions.allow)
  for (const request of [0x5412n, 0x541cn, 0x1_0000_5412n, 0xffff_ffff_0000_5412n])
    expect([request, ask(strict, 'ioctl', 0n, request)]).toEqual([request, refused])
  for (const request of [0x5401n, 0x5413n, 0x8004_5430n, 0xffff_ffff_8004_5430n])
    expect([request, ask(strict, 'ioctl', 0n, request)]).toEqual([request, actions.allow])
  expect(ask(strict, 'clone', 0x0100_0011n)).toBe(actions.allow)
  for (const flag of [0x0002_0000n, 0x1000_0000n, 0x4000_0000n]) expect(ask(strict, 'clone', flag)).toBe(refused)
  expect(ask(strict, 'clone3')).toBe(actions.errno | 38)
})

test('default lets nobody reach the hypervisor, also not by a high half that the kernel does not look at', () => {
  const words = findCompiled('default', 'x86_64', [])!.words
  expect([40n, 0x1_0000_0028n].map((family) => ask(words, 'socket', family))).toEqual([refused, refused])
  expect([2n, 16n, 39n, 41n, 45n].map((family) => ask(words, 'socket', family))).toEqual(Array(5).fill(actions.allow))
})

test("the tables have all that this host's headers have", (context) => {
  const file = {
    x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
    arm64: '/usr/include/aarch64-linux-gnu/asm/unistd_64.h',
  }[process.arch as string]
  if (!file || !existsSync(file)) return context.skip('needs kernel headers')
  const machine = machines.find(({ name }) => name === (process.arch === 'x64' ? 'x86_64' : 'aarch64'))!
  const known = syscallNumbers(machine.name)
  const newest = Math.max(...known.values())
  const listed = [...readFileSync(file, 'utf8').matchAll(/^#define __NR_(\w+) (\d+)$/gm)]
  expect(listed.length).toBeGreaterThan(300)
  for (const [, name, number] of listed)
    if (Number(number) <= newest) expect([name, known.get(name!)]).toEqual([name, Number(number)])
})

test('strict: no mode with S_ISUID or S_ISGID, whichever call sets or makes it, and on no machine', () => {
  const create = [0x40n, 0x41n, 0x40_0000n]
  for (const machine of ['x86_64', 'aarch64'] as const) {
    const { words } = findCompiled('strict', machine, [])!
    const word = machines.find(({ name }) => name === machine)!.word
    const ask = (name: string, args: bigint[]) => {
      const number = syscallNumbers(machine).get(name)
      return number === undefined ? undefined : runFilter(words, { number, machine: word, args })
    }
    const all = (modes: bigint[], expected: number) => {
      for (const mode of modes) {
        for (const name of ['chmod', 'fchmod', 'creat', 'mkdir', 'mknod'])
          expect([name, mode, ask(name, [0n, mode]) ?? expected]).toEqual([name, mode, expected])
        for (const name of ['fchmodat', 'fchmodat2', 'mkdirat', 'mknodat'])
          expect([name, mode, ask(name, [0n, 0n, mode]) ?? expected]).toEqual([name, mode, expected])
        for (const flags of create) {
          expect([flags, mode, ask('open', [0n, flags, mode]) ?? expected]).toEqual([flags, mode, expected])
          expect([flags, mode, ask('openat', [0n, 0n, flags, mode])]).toEqual([flags, mode, expected])
        }
      }
    }
    all([0o4755n, 0o2755n, 0o6000n, 0xffff_ffff_0000_0800n], refused)
    all([0o1777n, 0o755n, 0n], actions.allow)
    // what stands in the place of a mode without a file to make means nothing
    expect(ask('openat', [0n, 0n, 0x8_0000n, 0o6755n])).toBe(actions.allow)
    expect(ask('openat2', [])).toBe(actions.errno | 38)
  }
})
