// SPDX-License-Identifier: Apache-2.0
// The entry of a binary without Node that runs random cases: KIND SEED FROM TO. Prints one line a case.

import { pause } from '../../../src/system/clock.ts'
import { writeSync } from '../../../src/system/files.ts'
import { runCase } from './cases.ts'

async function main() {
  const [kind = '', seed, from, to] = process.argv.slice(2)
  for (let index = Number(from); index < Number(to); index++) {
    // a computation that does not return to the loop is ended
    await pause(0)
    const bytes = Buffer.from(`${await runCase(kind, Number(seed), index)}\n`)
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at)
  }
  process.exit(0)
}

void main()
