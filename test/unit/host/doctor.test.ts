// SPDX-License-Identifier: Apache-2.0
// What an older kernel lacks, as hutch doctor and a refused option tell it.
import { expect, test } from 'vitest'
import { findOlderCalls } from '../../../src/host/doctor.ts'

test('a kernel that has everything is not worth a note', () => {
  expect(findOlderCalls([6, 1])).toEqual([])
})

test('what is missing is told with what is done instead, and what has it', () => {
  expect(findOlderCalls([5, 14])).toEqual([
    {
      title: 'older ways',
      state: 'note',
      found: 'without memory.peak: peak memory is not available on v2',
      remedy: 'Linux 5.19 has all of it',
    },
  ])
  expect(findOlderCalls([5, 11])[0]!.found).toMatch(/idmapped mounts.*cgroup\.kill.*memory\.peak/)
})
