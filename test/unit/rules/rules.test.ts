// SPDX-License-Identifier: Apache-2.0
// cgrules.conf: parsed and matched.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import type { PasswdMaps } from '../../../src/host/passwd.ts'
import { findRule, findTargets, type ProcessIdentity, programOf } from '../../../src/rules/match.ts'
import { parseRules, type Rule } from '../../../src/rules/parse.ts'
import { parseRequest } from '../../../src/rules/sticky.ts'
import { hybrid, v2 } from '../hosts.ts'

const ids: PasswdMaps = {
  users: new Map([
    ['root', 0],
    ['alice', 1000],
    ['bob', 1001],
  ]),
  userNames: new Map([
    [0, 'root'],
    [1000, 'alice'],
    [1001, 'bob'],
  ]),
  groups: new Map([
    ['staff', { gid: 50, members: ['alice'] }],
    ['users', { gid: 100, members: [] }],
  ]),
  groupNames: new Map([
    [50, 'staff'],
    [100, 'users'],
  ]),
}
const controllers = ['cpu', 'cpuset', 'io', 'memory', 'pids']
const alice: ProcessIdentity = {
  pid: 42,
  uid: 1000,
  gid: 1000,
  program: '/usr/bin/make',
  realtime: false,
  groups: hybrid,
  unified: [],
}
const onV2 = { ...alice, groups: v2, unified: controllers }

const rules = (text: string) => parseRules(text, 'f')
const line = (text: string, process: Partial<ProcessIdentity> = {}) =>
  findRule(rules(text), { ...alice, ...process }, ids)?.origin
const goes = (text: string, process: ProcessIdentity) => {
  const { targets, missing } = findTargets(findRule(rules(text), process, ids)!, process, ids)
  return [targets.map(({ mount, path }) => `${mount}/${path}`), missing]
}

test('a rules file is read as cgrules.conf(5) says', () => {
  expect(rules('# c\n\n alice:make  cpu,memory\tbuilds/%u/ ignore_rt # more\n% pids "a b"\n@staff * /\r\n')).toEqual([
    {
      who: { kind: 'user', name: 'alice' },
      program: 'make',
      destinations: [
        { controllers: ['cpu', 'memory'], path: ['builds/', { letter: 'u' }, '/'], origin: 'f:3' },
        { controllers: ['pids'], path: ['a b'], origin: 'f:4' },
      ],
      ignore: false,
      ignoreRealtime: true,
      origin: 'f:3',
    },
    {
      who: { kind: 'group', name: 'staff' },
      destinations: [{ controllers: ['*'], path: ['/'], origin: 'f:5' }],
      ignore: false,
      ignoreRealtime: false,
      origin: 'f:5',
    },
  ])
  expect(rules('"alice:my program" cpu x')[0]?.program).toBe('my program')
  expect(rules('alice cpu 100\\%u')[0]?.destinations[0]?.path).toEqual(['100%u'])
})

test.each([
  ['alice cpu', 'RULES_INVALID'],
  ['alice cpu a ignore more', 'RULES_INVALID'],
  ['alice cpu a ignored', 'RULES_INVALID'],
  ['% cpu a ignore', 'RULES_INVALID'],
  ['alice: cpu a', 'RULES_INVALID'],
  ['@ cpu a', 'RULES_INVALID'],
  [':make cpu a', 'RULES_INVALID'],
  ['alice cpu,,memory a', 'RULES_INVALID'],
  ['alice ../cpu a', 'RULES_INVALID'],
  ['alice cpu "a', 'RULES_INVALID'],
  ['alice cpu a\0b', 'RULES_INVALID'],
  ['alice cpu a\x1b[2J', 'RULES_INVALID'],
  ['alice cpu a\rb', 'RULES_INVALID'],
  [`alice cpu ${'x'.repeat(20_000)}`, 'RULES_INVALID'],
  ['alice cpu ../a', 'CGROUP_PATH_INVALID'],
  ['alice cpu a/../../b', 'CGROUP_PATH_INVALID'],
  ['alice cpu a/./%u', 'CGROUP_PATH_INVALID'],
  [`alice cpu ${'x'.repeat(300)}`, 'CGROUP_PATH_INVALID'],
])('%j is refused, with its line', (text, code) => {
  let error: unknown
  try {
    rules(`bob cpu b\n${text}`)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code })
  expect((error as Error).message).toContain('f:2')
})

test('no text makes the parser throw anything but its own errors, and no destination leaves the tree', () => {
  const word = fc.constantFrom(
    'alice',
    '@staff',
    '*',
    '%',
    'cpu',
    'a/b',
    '..',
    '%p',
    '%P/%u',
    '\\%',
    '"',
    ':',
    '#',
    '\0',
    '\t',
    ',',
    'ignore',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.array(word).map((words) => words.join(' '))).map((lines) => lines.join('\n')),
  )
  fc.assert(
    fc.property(text, fc.string({ unit: 'binary' }), (source, program) => {
      let parsed: Rule[] = []
      try {
        parsed = rules(source)
      } catch (error) {
        if (!HutchError.is(error)) throw error
      }
      // a process, whatever it calls itself, throws nothing
      for (const rule of parsed)
        for (const { path } of findTargets(rule, { ...alice, program }, ids).targets) {
          expect(path.split('/')).not.toContain('..')
          expect(path).not.toMatch(/[\0-\x1f]/)
        }
    }),
    { numRuns: 2000 },
  )
})

test('a continuation without a rule before it is refused', () => {
  expect(() => rules('# c\n% cpu a')).toThrow(expect.objectContaining({ code: 'RULES_INVALID', path: 'f:2' }))
})

test.each<[string, string, Partial<ProcessIdentity>, string | undefined]>([
  ['a user', 'bob cpu b\nalice cpu a', {}, 'f:2'],
  ['a user by number', '1000 cpu a', {}, 'f:1'],
  ['a number without a name', '61234 cpu a', { uid: 61234 }, 'f:1'],
  ['an unknown user', 'carol cpu a', {}, undefined],
  ['a member of a group', '@staff cpu a', {}, 'f:1'],
  ['the effective group', '@users cpu a', { gid: 100 }, 'f:1'],
  ['another group', '@users cpu a', {}, undefined],
  ['everybody', '* cpu a', { uid: 7 }, 'f:1'],
  ['a program by name', 'alice:make cpu a', {}, 'f:1'],
  ['a program by path', 'alice:/usr/bin/make cpu a', {}, 'f:1'],
  ['another path', 'alice:/bin/make cpu a', {}, undefined],
  ['another program', 'alice:mak cpu a\nalice:gcc cpu a\n*:make cpu b', {}, 'f:3'],
  ['a program by its beginning', 'alice:ma* cpu a', {}, 'f:1'],
  ['a path by its beginning', 'alice:/usr/* cpu a', {}, 'f:1'],
  ['the first of several', '* cpu a\nalice cpu b', {}, 'f:1'],
  ['continued lines belong to one rule', 'bob cpu a\n% memory b\nalice cpu c', {}, 'f:3'],
  ['ignore, elsewhere', '* memory a ignore\nalice memory b', {}, 'f:2'],
])('%s', (_, text, process, expected) => {
  expect(line(text, process)).toBe(expected)
})

test('ignore is for processes that are in that group, or below it', () => {
  const at = (own: string) => ({
    ...alice,
    groups: { ...hybrid, v1: { ...hybrid.v1, memory: { mount: '/cg/memory', own } } },
  })
  const text = '* memory boxes/ ignore\nalice memory a'
  expect(line(text, at('/cg/memory/boxes'))).toBe('f:1')
  expect(line(text, at('/cg/memory/boxes/1'))).toBe('f:1')
  expect(line(text, at('/cg/memory/boxes2'))).toBe('f:2')
})

test('controllers name hierarchies, each process one group in each', () => {
  expect(goes('alice cpu,memory a', alice)).toEqual([['/cg/cpu/a', '/cg/memory/a'], []])
  expect(goes('alice cpu,memory a', onV2)).toEqual([['/cg/a'], []])
  expect(goes('alice cpu a\n% memory b', alice)).toEqual([['/cg/cpu/a', '/cg/memory/b'], []])
  expect(goes('alice cpu a\n% memory b', onV2)).toEqual([['/cg/b'], []])
  expect(goes('alice blkio,freezer a', onV2)).toEqual([['/cg/a'], ['freezer']])
  expect(goes('alice blkio,name=x a', alice)).toEqual([[], ['blkio', 'name=x']])
  expect(goes('alice * a', alice)[0]).toEqual([
    '/cg/memory/a',
    '/cg/pids/a',
    '/cg/cpu/a',
    '/cg/cpuset/a',
    '/cg/unified/a',
  ])
  expect(goes('alice cpu,constructor,__proto__ /', alice)).toEqual([['/cg/cpu/'], ['constructor', '__proto__']])
})

test.each([
  ['%u-%U-%g-%G-%p-%P', 'alice-1000-staff-50-make-42', {}],
  ['%u/%g', '61234/61235', { uid: 61234, gid: 61235 }],
  ['%p', '42', { program: '/tmp/..' }],
  ['%p', '42', { program: 'a\nb' }],
  ['%p', '42', { program: `/bin/${'x'.repeat(300)}` }],
  [`${'y'.repeat(240)}%p`, `${'y'.repeat(240)}42`, { program: 'a-long-name-of-one' }],
  ['x%p', 'xsh', { program: '/bin/sh' }],
])('the template %s is %s', (template, expected, process) => {
  const [targets] = goes(`* cpu t/${template}`, { ...alice, gid: 50, ...process })
  expect(targets).toEqual([`/cg/cpu/t/${expected}`])
})

test('what runs: the program, or the script it interprets', () => {
  expect(programOf('/usr/bin/make', 'make', '')).toBe('/usr/bin/make')
  expect(programOf('/usr/bin/make (deleted)', 'make', '')).toBe('/usr/bin/make')
  expect(programOf('/usr/bin/bash', 'job.sh', '/bin/bash\0-e\0/opt/job.sh\0x')).toBe('/opt/job.sh')
  expect(programOf('/usr/bin/a-very-long-name-of-one', 'a-very-long-nam', '')).toBe('/usr/bin/a-very-long-name-of-one')
  expect(programOf('/usr/bin/busybox', 'sleep', 'sleep\x001')).toBe('/usr/bin/busybox')
  expect(programOf('/usr/bin/dash', 'job.sh', '/bin/sh\0./job.sh', '/opt/a')).toBe('/opt/a/job.sh')
  expect(programOf('/usr/bin/dash', 'sh', 'sh\0-c\0exit')).toBe('/usr/bin/dash')
  expect(programOf('/usr/bin/node', 'MainThread', 'node\0app.js')).toBe('/usr/bin/node')
  expect(programOf('', 'x', '')).toBe('x')
})

test('requests that no client sends are refused', () => {
  const request = (pid: number, flags: number) => parseRequest(Buffer.from(new Int32Array([pid, flags]).buffer))
  expect(request(42, 1)).toEqual({ pid: 42, flags: 1 })
  expect([request(0, 1), request(-1, 1), request(42, 3), request(42, -1)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
