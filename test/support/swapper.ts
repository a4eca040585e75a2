// SPDX-License-Identifier: Apache-2.0
// An attacker who swaps directories and links while others make things in them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Exchanges each name with its twin (renameat2(2), RENAME_EXCHANGE) without end: a name is never missing, and never the same for long. */
const swapper = `
$| = 1; print "ready";
for (;;) { for (@ARGV) { syscall(${process.arch === 'arm64' ? 276 : 316}, -100, $_, -100, "$_.twin", 2) } }`

/** Swaps each of these with `PATH.twin` from now on, until it is killed; relative ones are in `cwd`. */
export async function startSwapper(paths: readonly string[], cwd = '/'): Promise<ChildProcess> {
  const attacker = spawn('perl', ['-e', swapper, ...paths], { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
  await once(attacker.stdout, 'data')
  return attacker
}
