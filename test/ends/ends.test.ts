// SPDX-License-Identifier: Apache-2.0
// Ends of known cause: each is named rightly, and the first remedy that has a value makes it end in another way.
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { type Result, type RunOptions, run, start } from '../../src/index.ts'
import type { Cause, Remedy } from '../../src/verdict/cause.ts'
import { sampled } from '../sample.ts'
import { type End, ends } from './table.ts'

// what only v2 has is no row elsewhere
const titled = ends
  .map((one, i) => [`${i} ${one.kind}: ${one.command.join(' ').replace(/\s+/g, ' ').slice(0, 90)}`, one] as const)
  .filter(([, { needs }]) => needs !== 'v2' || readHost().layout === 'v2')

test('there are enough of them', () => {
  expect(ends.length).toBeGreaterThanOrEqual(135)
})

test.for(sampled(titled, true))('%s', async ([, end], context) => {
  if (end.needs?.startsWith('/')) {
    if (!existsSync(end.needs)) context.skip(`needs ${end.needs}`)
  }
  const { cause } = await made(end, end.options)
  const { expect } = context
  expect({ kind: cause.kind, sides: sidesOf(cause) }).toEqual({ kind: end.kind, sides: end.side ? [end.side] : [] })
  if (end.cured) {
    const options = withRemedy(end.options, cause.remedies[0]!)
    expect((await made(end, options)).cause.kind).toBe('exited')
  }
})

async function made({ command: [file, ...args], act }: End, options: RunOptions): Promise<Result> {
  if (act === undefined) return run(file, args, { timeout: 30_000, maxOutput: '1M', ...options })
  const job = await start(file, args, { timeout: 30_000, ...options, stdio: 'ignore' })
  // until it is a program that waits, and no longer hutch or a shell that begins
  await pause(400)
  if (act === 'stop') await job.stop()
  else job.kill(act)
  return job.result
}

/** What is certain or likely to have happened beside the end, each kind once. */
const sidesOf = ({ sideEvents }: Cause) => [
  ...new Set(sideEvents.filter(({ confidence }) => confidence !== 'unknown').map(({ kind }) => kind)),
]

/** The options with what a remedy says. */
function withRemedy(options: RunOptions, { option }: Remedy): RunOptions {
  const [group, key] = option!.name.split('.') as [keyof RunOptions, string?]
  if (option!.value === undefined) throw new Error(`no value for ${option!.name}`)
  return key === undefined
    ? { ...options, [group]: option!.value }
    : { ...options, [group]: { ...(options[group] as object), [key]: option!.value } }
}
