// SPDX-License-Identifier: Apache-2.0
// Profiles in JSON: what is read from them, and where they are refused.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import { parseSeccomp, seccompOrigin } from '../../../src/options/seccomp-option.ts'
import { compileFilter } from '../../../src/seccomp/compile.ts'
import { parseProfile, parseProfileText } from '../../../src/seccomp/parse.ts'
import { actions, type ProfileFacts, selectRules } from '../../../src/seccomp/profile.ts'

const facts: ProfileFacts = { machine: 'x86_64', kernel: [6, 1], capabilities: [] }
const read = (profile: object) => parseProfileText(JSON.stringify(profile), '--seccomp p.json')
const message = (profile: object) => {
  try {
    read(profile)
    return 'accepted'
  } catch (error) {
    expect((error as HutchError).code).toBe('SECCOMP_PROFILE_INVALID')
    return (error as HutchError).message.split('\n').map((line) => line.trim())
  }
}

test('the form of the OCI', () => {
  expect(
    read({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_MIPS'],
      flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'],
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
        {
          names: ['clone'],
          action: 'SCMP_ACT_TRACE',
          errnoRet: 7,
          args: [{ index: 0, value: 2114060288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
        },
      ],
    }),
  ).toEqual({
    architectures: ['x86', 'SCMP_ARCH_MIPS'],
    architecturesOf: {},
    defaultAction: actions.errno | 38,
    flags: 2,
    rules: [
      { names: ['read', 'write'], action: actions.allow, conditions: [] },
      {
        names: ['clone'],
        action: actions.trace | 7,
        conditions: [{ index: 0, op: 'MASKED_EQ', mask: 2114060288n, value: 0n }],
      },
    ],
  })
})

test("Docker's form: maps of machines, rules by capability, architecture and kernel", () => {
  const profile = read({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }],
    syscalls: [
      { names: ['bpf'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_BPF'] } },
      { name: 'clone3', action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] }, comment: 'x' },
      { names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64', 'x32'] } },
      { names: ['set_tls'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm', 'arm64'] } },
      { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', args: null, includes: { minKernel: '4.8' }, excludes: {} },
    ],
  })
  expect(profile.architecturesOf).toEqual({ x86_64: ['x86', 'x32'] })
  const names = (more: Partial<ProfileFacts>) =>
    selectRules(profile, { ...facts, ...more }).flatMap((rule) => rule.names)
  expect(names({})).toEqual(['clone3', 'arch_prctl', 'ptrace'])
  expect(names({ capabilities: [39, 21] })).toEqual(['bpf', 'arch_prctl', 'ptrace'])
  expect(names({ machine: 'aarch64', kernel: [4, 7] })).toEqual(['clone3', 'set_tls'])
})

test('numbers of 64 bits keep all their digits, and what looks like one in a text stays', () => {
  const condition = '{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}'
  const text = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "comment": "\\" 18446744073709551615 \\"",
    "action": "SCMP_ACT_ERRNO", "args": [${condition}]}]}`
  expect(parseProfileText(text, 'p').rules[0]!.conditions[0]!.value).toBe(0xffff_ffff_ffff_ffffn)
  expect(() => parseProfileText(text.replace('18446744073709551615,', '18446744073709551616,'), 'p')).toThrow(
    /syscalls\[0\]\.args\[0\]\.value is 18446744073709551616: out of range/,
  )
})

test('several conditions of one argument are: any of them, as runc has it; of several, all', () => {
  const of = (...args: object[]) =>
    read({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW', args }],
    }).rules.map(({ conditions }) => conditions.map(({ index, op, value }) => `${index} ${op} ${value}`))
  const one = { index: 0, value: 1, op: 'SCMP_CMP_EQ' }
  expect(of(one, { ...one, value: 2 })).toEqual([['0 EQ 1'], ['0 EQ 2']])
  expect(of(one, { ...one, index: 1 })).toEqual([['0 EQ 1', '1 EQ 1']])
})

test('a name that no machine has is passed over where it was to be allowed, and refused where it was to be refused', () => {
  const names = ['read', 'reed']
  expect(
    read({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }] }).rules[0]!.names,
  ).toEqual(['read'])
  expect(message({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }] })).toEqual([
    'cannot use --seccomp p.json: syscalls[0].names[1] is reed: there is no such system call, so nothing would be refused',
    'remedy: give read?',
  ])
  // other machines have it
  expect(
    message({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['s390_runtime_instr', 'semop', 'set_tls'], action: 'SCMP_ACT_ERRNO' }],
    }),
  ).toBe('accepted')
})

test.each<[string, object, string, string]>([
  ['no default', { syscalls: [] }, 'defaultAction is null', 'give one of SCMP_ACT_KILL,'],
  ['an action', { defaultAction: 'SCMP_ACT_ALOW' }, 'defaultAction is SCMP_ACT_ALOW', 'give SCMP_ACT_ALLOW?'],
  ['a key', { defaultAction: 'SCMP_ACT_ALLOW', sycalls: [] }, 'it is sycalls: there is no such key', 'give syscalls?'],
  ['notices', { defaultAction: 'SCMP_ACT_NOTIFY' }, 'hutch does not forward', 'give another action'],
  ['a listener', { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/run/x' }, 'listenerPath is /run/x', 'without it'],
  ['a list', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }, 'syscalls is "{}": not a list', 'give a list'],
  ['no object', [] as object, 'it is "[]": not an object', 'give an object'],
  ['an errno', { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 65536 }, 'defaultErrnoRet is 65536', 'from 0 to'],
  [
    'errno of allow',
    { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 },
    'SCMP_ACT_ALLOW has no number',
    'leave it out',
  ],
  [
    'two errnos',
    { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, defaultErrno: 'ENOSYS' },
    'defaultErrno is ENOSYS',
    'one of them',
  ],
  [
    'a machine',
    { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X68'] },
    'architectures[0] is SCMP_ARCH_X68',
    'SCMP_ARCH_X86?',
  ],
  [
    'a flag',
    { defaultAction: 'SCMP_ACT_ALLOW', flags: ['LOG'] },
    'flags[0] is LOG',
    'one of SECCOMP_FILTER_FLAG_TSYNC',
  ],
  [
    'both lists of machines',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] }],
    },
    'archMap: architectures is given, too',
    'one of them',
  ],
])('refuses %s', (_, profile, what, remedy) => {
  const [first, last] = message(profile) as string[]
  expect(first).toContain(`cannot use --seccomp p.json: `)
  expect(first).toContain(what)
  expect(last).toContain(remedy)
})

test.each<[string, object, string]>([
  ['no names', {}, 'syscalls[0].names'],
  ['a name that is a number', { names: [7] }, 'syscalls[0].names[0] is 7'],
  [
    'an index',
    { names: ['read'], args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] },
    'syscalls[0].args[0].index is 6',
  ],
  ['a negative', { names: ['read'], args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] }, 'args[0].value is -1'],
  ['an op', { names: ['read'], args: [{ index: 0, value: 0, op: 'SCMP_CMP_EX' }] }, 'args[0].op is SCMP_CMP_EX'],
  ['a capability', { names: ['read'], includes: { caps: ['CAP_SYS_ADMN'] } }, 'includes.caps[0] is CAP_SYS_ADMN'],
  ['a version', { names: ['read'], excludes: { minKernel: 'new' } }, 'excludes.minKernel is new'],
  ['a key', { names: ['read'], arg: [] }, 'syscalls[0] is arg'],
])('refuses in a rule: %s', (_, rule, what) => {
  const [first] = message({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ action: 'SCMP_ACT_ALLOW', ...rule }],
  }) as string[]
  expect(first).toContain(what)
})

test('no JSON is said to be none, and control characters of it reach no terminal', () => {
  expect(() => parseProfileText('\u001b[31m', '--seccomp x')).toThrow(
    /^cannot use --seccomp x: it: not JSON: [^\u001b]+$/,
  )
  expect(() => parseProfileText('', '--seccomp x')).toThrow('not JSON')
})

test('a text made to be slow is not', () => {
  const begun = process.cpuUsage()
  for (const text of [
    `"${'\\"'.repeat(300_000)}`,
    `${'1'.repeat(600_000)}e`,
    '['.repeat(600_000),
    `"${'\\'.repeat(600_001)}`,
  ])
    expect(() => parseProfileText(text, 'p')).toThrow(HutchError)
  // of this process: the machine may have others to run
  expect(process.cpuUsage(begun).user).toBeLessThan(5_000_000)
})

test('any JSON is read or refused with its place', () => {
  const word = fc.constantFrom(
    'SCMP_ACT_ALLOW',
    'SCMP_ACT_ERRNO',
    'read',
    'SCMP_CMP_EQ',
    'SCMP_ARCH_X86',
    'CAP_BPF',
    '',
  )
  const leaf = fc.oneof(word, fc.jsonValue(), fc.integer(), fc.constant(null))
  const rule = fc.record(
    {
      names: fc.oneof(fc.array(word), leaf),
      action: word,
      errnoRet: leaf,
      args: fc.oneof(leaf, fc.array(fc.record({ index: leaf, value: leaf, op: leaf }, { requiredKeys: [] }))),
      includes: fc.oneof(leaf, fc.record({ caps: fc.oneof(leaf, fc.array(leaf)) })),
    },
    { requiredKeys: [] },
  )
  const profile = fc.record(
    {
      defaultAction: word,
      defaultErrnoRet: leaf,
      architectures: fc.oneof(leaf, fc.array(word)),
      archMap: leaf,
      syscalls: fc.oneof(leaf, fc.array(fc.oneof(rule, leaf))),
      flags: leaf,
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(profile, fc.jsonValue()), (value) => {
      try {
        compileFilter(parseProfile(value, 'p'), facts, 'p')
      } catch (error) {
        expect(HutchError.is(error)).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

test('the option: words, files, objects', () => {
  expect(
    ['default', 'strict', 'none', './x', 'a.json', 'web'].map((value) => parseSeccomp(value, '--seccomp')),
  ).toEqual([{ own: 'default' }, { own: 'strict' }, undefined, { file: './x' }, { file: 'a.json' }, { file: 'web' }])
  expect(parseSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }, 'seccomp')).toEqual({
    profile: { defaultAction: 'SCMP_ACT_ALLOW' },
  })
  for (const value of ['', 7, true, null, [], 'a\0b'])
    expect(() => parseSeccomp(value, 'seccomp')).toThrow(/^invalid value .* for seccomp/)
  expect(() => parseSeccomp('stict', '--seccomp')).toThrow('give strict? (a file of that name is ./stict)')
  expect(seccompOrigin({ file: 'a\u001b.json' }, 'cli')).toBe('--seccomp "a\\x1b.json"')
})
