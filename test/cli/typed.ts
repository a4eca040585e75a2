// SPDX-License-Identifier: Apache-2.0
// A command on a terminal of its own, by script(1), and keys that are typed into it.
import { spawn } from 'node:child_process'

const slow = process.env.VM ? 10 : 1

/** Types each line when the output so far has what it waits for. */
export function type(command: string, script: [waitFor: RegExp, keys: string][]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('script', ['-qfec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'dumb', NO_COLOR: '' },
    })
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 20_000 * slow)
    let out = ''
    let from = 0
    child.stdout.on('data', (data) => {
      out += data
      const next = script[0]
      if (!next?.[0].test(out.slice(from))) return
      from = out.length
      script.shift()
      setTimeout(() => child.stdin.write(next[1]), 100 * slow)
    })
    child.on('close', () => {
      clearTimeout(giveUp)
      resolve(out.replaceAll('\r', ''))
    })
  })
}
