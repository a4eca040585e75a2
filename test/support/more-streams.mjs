// SPDX-License-Identifier: Apache-2.0
// Starts a command with seven streams, and prints what came through them: node more-streams.mjs OPTIONS, which are the options of start as JSON.
import { Readable } from 'node:stream'
import { start } from '../../dist/index.js'

const script =
  'cat <&3; echo answer >&3; cat <&5 >&6; echo four >&4; for n in 3 4 5 6 7 8; do [ -e /proc/$$/fd/$n ] && echo $n; done'
const job = await start('sh', ['-c', script], {
  ...JSON.parse(process.argv[2]),
  stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe', Readable.from(['from a stream']), 'pipe'],
})
const [three, four, , six] = job.stdio.slice(3)
three.end('question\n')
const textOf = async (stream) => {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
console.log(JSON.stringify(await Promise.all([job.stdout, three, four, six].map(textOf))))
