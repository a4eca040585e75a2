// SPDX-License-Identifier: Apache-2.0
// What `why` lays to a group where counts of other levels, or peaks of v1, allow more than one explanation.
import { expect, test } from 'vitest'
import { refusedAbove, taskCauses } from '../../../src/why/fork-limits.ts'
import { memoryCauses } from '../../../src/why/memory.ts'

const level = (path: string, more: object = {}) => ({ path, directory: `/cg${path}`, ...more })

test('forks that a group above refused are not laid to a group of which neither a count nor the log tells', () => {
  const levels = [level('/a/b', { denied: 0, deniedHere: 0 }), level('/a', { max: '9', denied: 4, deniedHere: 4 })]
  const facts = { name: '/a/b', levels, below: [] }
  expect(taskCauses(facts)).toEqual([])
  expect(refusedAbove(facts)).toMatchObject([{ kind: 'fork-refused', confidence: 'unknown', group: '/a', count: 4 }])
  // the whole log names each group that was refused a fork: none of them is this one
  expect(refusedAbove({ ...facts, logComplete: true })).toEqual([])
  // the control: it names this one
  expect(taskCauses({ ...facts, firstRefused: 1000 })).toMatchObject([{ whose: 'ancestor', count: 4 }])
})

test('two groups at their limits on v1: whose limit killed is uncertain without the log', () => {
  const facts = { name: '/a/b', path: '/a/b', below: [], kills: [] }
  const levels = [level('/a/b', { kills: 1, full: true }), level('/a', { full: true })]
  expect(memoryCauses({ ...facts, levels })).toMatchObject([
    { kind: 'oom', confidence: 'unknown', wouldTell: expect.stringContaining('/a was at its limit, too') },
  ])
  // the control: the log names the group
  const kill = { at: 1, pid: 1, name: 'x', for: 'group', limitGroup: '/a', group: '/a/b' } as const
  const kills = [{ ...kill, virtual: 0, anon: 0, file: 0, shmem: 0 }]
  expect(memoryCauses({ ...facts, levels, kills })).toMatchObject([{ whose: 'ancestor', confidence: 'certain' }])
})

test('memory that was out with nothing to kill is told', () => {
  const facts = { name: '/a', path: '/a', below: [], kills: [] }
  expect(memoryCauses({ ...facts, levels: [level('/a', { kills: 0, ooms: 2, max: '8388608' })] })).toMatchObject([
    { kind: 'oom', whose: 'own', count: 0, headline: 'out of memory (OOM) in /a, and no process could be killed' },
  ])
})
