// SPDX-License-Identifier: Apache-2.0
// Landlock options as a plan.
import { expect, test } from 'vitest'
import { explainProgram } from '../../../src/ops/explain.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { explainRefusal } from '../../../src/run/op-errors.ts'
import { plan, v2 } from '../hosts.ts'

test('rules are read by letters, and the last colon ends the path', () => {
  const landlock = ['/usr:rx', '/a:b:w', { path: '.', access: 'xwr' }] as const
  expect(parseOptions('x', [], { landlock }, 'library').landlock).toEqual([
    { path: '/usr', access: 5 },
    { path: '/a:b', access: 2 },
    { path: '.', access: 7 },
  ])
  expect(parseOptions('x', [], { landlock: [] }, 'library').landlock).toBeUndefined()
})

test.each(['/usr', '/usr:', ':r', '/usr:rr', '/usr:q', '/u\0sr:r', { path: '/usr' }, { access: 'r' }, 5, null])(
  '%j is no rule',
  (rule) => {
    const options = { landlock: [rule] } as unknown as RunOptions
    expect(() => parseOptions('x', [], options, 'library')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('/usr:rx') }),
    )
  },
)

test('it takes no_new_privs', () => {
  expect(() => parseOptions('x', [], { landlock: ['/:r'], newPrivileges: true }, 'cli')).toThrow(
    expect.objectContaining({ code: 'OPTION_CONFLICT', message: expect.stringContaining('--new-privileges') }),
  )
})

test('rules come last, as the user and from the directory of the command', () => {
  const user = { uid: 7, gid: 7, groups: [7] }
  const program = compilePlan(plan(v2, { landlock: ['/usr:rx', '.:rw'], user: 'joe', workdir: '/w' }, {}, { user }))
  const names = program.inner.map(({ op }) => op)
  expect(names.slice(names.indexOf('setUser'))).toEqual([
    'setUser',
    'changeDirectory',
    'noNewPrivileges',
    'allowPath',
    'allowPath',
    'restrictPaths',
    'dieWithParent',
    'exec',
  ])
  expect(explainProgram(program).find(({ op }) => op === 'allowPath')?.words).toBe(
    'allow the command to read, execute below /usr',
  )
})

test('a kernel without it is named as what is missing, and how to have it', () => {
  const made = plan(v2, { landlock: ['/usr:rx'] })
  const op = compilePlan(made).inner.find((one) => one.op === 'allowPath')!
  const refused = (errno: string, part = 0) => explainRefusal(op, errno, made, () => [], part)
  expect(refused('ENOSYS')).toMatchObject({ code: 'LANDLOCK_MISSING', remedy: expect.stringContaining('Linux 5.13') })
  expect(refused('EOPNOTSUPP')).toMatchObject({ code: 'LANDLOCK_MISSING', remedy: expect.stringContaining('lsm=') })
  expect(refused('ENOENT', 1).message).toContain('cannot open /usr for a Landlock rule')
})
