// SPDX-License-Identifier: Apache-2.0
// Drop-ins name their own options in refusals.
import { beforeEach, expect, test } from 'vitest'
import { hutchAs } from '../support/anyone.ts'
import { requires } from '../support/requires.ts'

beforeEach((context) => requires(context, 'root'))

test.each([
  [
    ['nsenter', '--net=/proc/1/ns/net', 'true'],
    ['--user', '--user-parent', '--preserve-credentials'],
  ],
  [
    ['unshare', '--net', 'true'],
    ['--user', '--map-root-user'],
  ],
])('%j', async (args, options) => {
  const { stderr } = await (await hutchAs(65_534, args)).ended
  for (const option of options) expect(stderr).toMatch(new RegExp(`remedy: .*${option}(?![\\w-])`))
  expect(stderr).not.toMatch(/--isolate/)
})
