// SPDX-License-Identifier: Apache-2.0
// A step of a build pipeline: limits, the log as it comes, and an error that says what to change.
//   node examples/ci-step.mjs make -j4
import { start } from 'hutch'

const [file = 'sh', ...args] = process.argv.slice(2)
const job = await start(file, args.length > 0 ? args : ['-c', 'echo building; echo done'], {
  limits: { memory: '2G', cpus: 2, pids: 500 },
  timeout: '30m',
  stdio: ['ignore', 'pipe', 'pipe'],
  all: true,
})
process.once('SIGTERM', () => job.stop())

const began = Date.now()
for await (const line of job) console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)}  ${line}`)

const { status, verdict, usage } = await job.result
console.log(`status ${status}, ${Math.round(usage.cpuUsec / 1000)} ms of CPU time`)
if (status !== 0) {
  console.error(verdict.headline)
  for (const [label, text] of verdict.evidence) console.error(`  ${label}: ${text}`)
  if (verdict.remedy) console.error(`  remedy: ${verdict.remedy}`)
}
process.exitCode = status
