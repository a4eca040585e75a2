// SPDX-License-Identifier: Apache-2.0
// The programs in examples/ are short, and do what their first lines say.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'

const programs = readdirSync('examples').filter((name) => name.endsWith('.mjs'))
const runs: { [name: string]: [args: string[], output: RegExp, status?: number] } = {
  'agent-tool.mjs': [['cat LICENSE | wc -l; touch x', '.'], /"stdout": "\d+\\n"[\s\S]*Read-only file system/],
  'judge.mjs': [[], /^test 1: OK \d+ ms \d+ MiB\ntest 2: OK \d+ ms \d+ MiB\n$/],
  'ci-step.mjs': [['sh', '-c', 'echo a; echo b >&2; exit 3'], / a\n[\s\S]*status 3, \d+ ms/, 3],
  'build-server.mjs': [
    [],
    /^docs: docs are built\ntests: status 1: one test failed\nlimit of all builds: 1024 MiB, 1 CPU\n$/,
  ],
}

test('each example is at most 60 lines long, and is run here', () => {
  expect(programs.toSorted()).toEqual([...Object.keys(runs), 'web-service.mjs'].toSorted())
  for (const name of programs)
    expect([name, readFileSync(`examples/${name}`, 'utf8').split('\n').length - 1]).toEqual([
      name,
      expect.toSatisfy((lines) => lines <= 60),
    ])
})

test.for(Object.entries(runs))('%s', { timeout: 60_000 }, async ([name, [args, output, status = 0]], context) => {
  requires(context, 'root')
  const ended = await collect(process.execPath, [`examples/${name}`, ...args])
  expect(ended.stdout).toMatch(output)
  expect(ended.status).toBe(status)
})

test('web-service.mjs', { timeout: 60_000 }, async (context) => {
  requires(context, 'root')
  const server = spawn(process.execPath, ['examples/web-service.mjs'], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(server, 'exit')
  try {
    const [line] = await once(server.stdout, 'data')
    const port = /port (\d+)/.exec(String(line))![1]
    const post = async (script: string) =>
      (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: script })).json()
    expect(await post('echo hello')).toEqual({ stdout: 'hello\n', stderr: '', status: 0, reason: 'exit' })
    expect(await post('ls /root')).toMatchObject({ stdout: '', status: 2 })
  } finally {
    server.kill('SIGTERM')
    await ended
  }
  expect(server.exitCode).toBe(0)
})
