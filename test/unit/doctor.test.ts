// SPDX-License-Identifier: Apache-2.0
// What an older kernel lacks, as hutch doctor and a refused option tell it.
import { expect, test } from 'vitest'
import { findOlderWays, inspectHost } from '../../src/host/doctor.ts'
import { readHost } from '../../src/host/host.ts'

test('a kernel that has everything is not worth a note', () => {
  expect(findOlderWays([6, 1])).toEqual([])
})

test('what is missing is told with what is done instead, and what has it', () => {
  expect(findOlderWays([5, 14])).toEqual([
    {
      title: 'older ways',
      state: 'note',
      found: 'without memory.peak: the highest use of memory is not told on v2',
      remedy: 'Linux 5.19 has all of it',
    },
  ])
  expect(findOlderWays([5, 11])[0]!.found).toMatch(/idmapped mounts.*cgroup\.kill.*memory\.peak/)
})

test('without mount_setattr roots are not to be had, and the version that has it is named', () => {
  const found = inspectHost({ ...readHost(), kernel: [5, 11], release: '5.11.0' })
  expect(found.find(({ title }) => title === 'mounts')).toMatchObject({
    state: 'missing',
    found: expect.stringContaining('mount_setattr came with 5.12'),
  })
})
