// SPDX-License-Identifier: Apache-2.0
// The text of a container's state, and the ids that name directories.
import { expect, test } from 'vitest'
import { type ContainerState, formatState, isContainerId, parseState } from '../../../src/container/state.ts'

const state: ContainerState<{ n: string }> = {
  version: 1,
  id: 'a',
  created: '2026-11-30T12:00:00.000Z',
  owner: 0,
  annotations: { 'a"b': '\n\u202e' },
  rootfs: '/x',
  driver: 'cgroupfs',
  groups: [{ controller: '', directory: '/sys/fs/cgroup/a' }],
  process: { pid: 5, started: 77, pidNamespace: '4026531836' },
  details: { n: '9007199254740993' },
}

test('a state is the same after it was written and read', () => {
  expect(parseState(formatState(state), 'state.json')).toEqual(state)
})

test.each([
  ['', /unexpected end/],
  ['{', /unexpected end/],
  ['null', /not the state of a container/],
  ['[]', /not the state of a container/],
  ['{"version":2,"id":"a"}', /another version/],
  ['{"version":1}', /another version|not the state/],
  [formatState(state).slice(0, -20), /unexpected end|a string has no end/],
])('%j is not a state', (text, why) => {
  expect(() => parseState(text, 'state.json')).toThrow(
    expect.objectContaining({ code: 'CONTAINER_STATE_INVALID', message: expect.stringMatching(why) }),
  )
})

test.each(['a', 'A.b_c+d-e', '0', '-', 'x'.repeat(255)])('%s is an id', (id) => {
  expect(isContainerId(id)).toBe(true)
})

test.each(['', '.', '..', 'a/b', '../a', 'a b', 'a\n', '\0', 'ä', '~a', 'x'.repeat(256)])('%j is not an id', (id) => {
  expect(isContainerId(id)).toBe(false)
})
