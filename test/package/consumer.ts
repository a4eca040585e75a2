// SPDX-License-Identifier: Apache-2.0
// A consumer of the package's types: checked by tsc as an ES module and as CommonJS, with the strictest settings.
import { Cgroup, createPool, HutchError, type Limits, type Result, run, start } from 'hutch'

const limits: Limits = { memory: '100M', pids: 50 }

export async function consume(): Promise<string> {
  const result: Result = await run('echo', ['hello'], { limits })
  const job = await start('cat')
  job.stdin.end('text')
  const { stdout } = await run('echo', ['hello'], { encoding: 'buffer', limits })
  const silent = await run('echo', { stdio: ['ignore', 'inherit', 'pipe'] })
  console.log(stdout.length, silent.stdout?.trim())
  await using group = await Cgroup.create('consumer')
  for await (const event of group.events()) if (event) break
  const pool = await createPool({ size: 2 })
  await pool.close()
  try {
    await job.result
  } catch (error) {
    if (error instanceof HutchError) return error.code
    throw error
  }
  return result.reason
}
