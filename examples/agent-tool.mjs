// SPDX-License-Identifier: Apache-2.0
// A tool for a language model: runs a shell command on a directory, without the network, and returns what the model needs to know.
//   node examples/agent-tool.mjs 'ls; cat notes.txt' .
import { resolve } from 'node:path'
import { run } from 'hutch'

/** The command sees `directory` as /work, read-only, and nothing else of this user's files. */
export async function runTool(command, directory) {
  const result = await run('sh', ['-c', command], {
    sandbox: { mounts: [{ volume: `${resolve(directory)}:/work:ro` }] },
    cwd: '/work',
    limits: { memory: '256M', pids: 64 },
    timeout: '20s',
    maxBuffer: '32K',
  })
  const { stdout, stderr, status, reason, verdict, truncated } = result
  return {
    stdout,
    stderr,
    status,
    // a model that knows why a command was ended does not repeat it
    ...(reason !== 'exit' && { ended: verdict.headline, remedy: verdict.remedy }),
    ...(truncated && { missingBytes: truncated }),
  }
}

const [command = 'echo hello', directory = '.'] = process.argv.slice(2)
console.log(JSON.stringify(await runTool(command, directory), null, 2))
