// SPDX-License-Identifier: Apache-2.0
// The entry of a binary without Node that exceeds a bound of the engine: HOW [job]. With `job`, while a job with limits runs.

import { start } from '../../../src/run/job.ts'
import { writeSync } from '../../../src/system/files.ts'
import { describeFault } from '../../../src/system/runtime.ts'

const ways: { [how: string]: () => unknown } = {
  loop: () => {
    for (;;);
  },
  expression: () => /^(a+)+$/.test(`${'a'.repeat(60)}b`),
  objects: () => {
    const kept: unknown[] = []
    for (;;) kept.push({ kept })
  },
  text: () => 'x'.repeat(100_000_000),
  doubled: () => {
    let text = 'x'
    for (;;) text += text
  },
  bytes: () => Buffer.alloc(100_000_000),
  caught: () => {
    const kept: string[] = []
    for (;;)
      try {
        for (;;) kept.push(`${kept.length}`)
      } catch {
        return Promise.reject(new Error('another error, for lack of memory'))
      }
  },
  depth: () => {
    const deeper = (n: number): number => deeper(n + 1) + 1
    return deeper(0)
  },
  parsed: () => JSON.parse('['.repeat(1_000_000)),
  promises: () => {
    const again = (): Promise<unknown> => Promise.resolve().then(again)
    return again()
  },
  nothing: () => new Promise(() => {}),
  error: () => {
    throw new Error('an unexpected error')
  },
}

async function main() {
  const [how = '', job, caught] = process.argv.slice(2)
  if (job === 'job') {
    const { pid } = await start('sleep', ['100'], { limits: { pids: 20 } })
    writeSync(1, `${pid}\n`)
  }
  if (caught === undefined) return ways[how]!()
  // as the command line does
  try {
    return await ways[how]!()
  } catch (error) {
    process.stderr.write(describeFault(error))
    process.exit(125)
  }
}

void main()
