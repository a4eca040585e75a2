// SPDX-License-Identifier: Apache-2.0
// A judge: runs a program on each test in a new sandbox, and prints one line a test: OK, WA, TLE, MLE, RE.
//   node examples/judge.mjs PROGRAM
import { createPool } from 'hutch'

const tests = [
  { input: '1 2\n', answer: '3\n' },
  { input: '20 22\n', answer: '42\n' },
]

/** Returns the verdict of one test. */
async function judge(pool, program, { input, answer }) {
  const {
    judge: status,
    stdout,
    usage,
  } = await pool.run('sh', ['-c', program], {
    input,
    timeout: '5s',
    maxOutput: '1M',
  })
  const verdict = status === 'OK' && stdout !== answer ? 'WA' : status
  return `${verdict} ${Math.round(usage.cpuUsec / 1000)} ms ${Math.ceil((usage.memoryPeak ?? 0) / 2 ** 20)} MiB`
}

const program = process.argv[2] ?? 'read a b; echo $((a + b))'
const pool = await createPool({ size: 2, sandbox: { cpuTime: '2s', limits: { memory: '128M', pids: 16 } } })
try {
  const verdicts = await Promise.all(tests.map((test) => judge(pool, program, test)))
  for (const [i, verdict] of verdicts.entries()) console.log(`test ${i + 1}: ${verdict}`)
} finally {
  await pool.close()
}
