// SPDX-License-Identifier: Apache-2.0
// A course's article about containers, from its first command to its last, by the binary without Node: with `hutch` before
// each tool, and by links under the tools' own names. Five tasks are enough for all of it.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, afterEach, expect, test } from 'vitest'
import { readChildren, removeTree } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { collect } from '../cli/hutch.ts'
import { binary } from '../support/command.ts'
import { requires } from '../support/requires.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-article-`)
const group = `hutch-test-${process.pid}-article`
const host = readHost()
const v1 = host.v1.memory !== undefined
const mounts = [host.unified, ...Object.values(host.v1)].flatMap((hierarchy) => (hierarchy ? [hierarchy.mount] : []))
const left = () =>
  mounts.flatMap((mount) => readChildren(mount).flatMap((name) => (name === group ? [`${mount}/${name}`] : [])))

afterEach(() => {
  for (const path of left()) removeTree(path)
})
afterAll(() => rmSync(directory, { recursive: true }))

const done = { status: 0, stdout: '', stderr: '' }
const tools = ['cgcreate', 'cgset', 'cgget', 'cgexec', 'cgdelete', 'unshare', 'hutch']

test.for([
  ['hutch before each tool', 'hutch '],
  ['links', ''],
] as const)('the article, by %s', { timeout: 60_000 }, async ([name, hutch], context) => {
  requires(context, 'root')
  // as on its machine, where systemd lets the root's children have these controllers
  if (!v1) writeFileSync(`${host.unified!.mount}/cgroup.subtree_control`, '+memory +pids')
  const path = mkdtempSync(`${directory}/${name.split(' ')[0]}-`)
  for (const tool of hutch ? ['hutch'] : tools) symlinkSync(binary, `${path}/${tool}`)
  const script = `${path}/memhog-demo.sh`
  writeFileSync(script, '#!/bin/bash\n\nfor i in $(seq 10); do hutch hog 100M; done\n', { mode: 0o755 })
  const run = (line: string, input?: string) => {
    if (input !== undefined) writeFileSync(`${path}/input`, input)
    const command = `${hutch}${line.replaceAll(' unshare', ` ${hutch}unshare`)}${input === undefined ? '' : ` <${path}/input`}`
    return collect('sh', ['-c', command], { env: { PATH: `${path}:${process.env.PATH}`, SHELL: '/bin/sh' } })
  }

  expect(await run(`cgcreate -g memory:${group}`)).toEqual(done)
  expect(await run(`cgset -r memory.max=50M ${group}`)).toEqual(done)
  expect(await run(`cgget -nv -r memory.max ${group}`)).toEqual({ ...done, stdout: '52428800\n' })
  expect(await run(`cgset -r memory.swap.max=0 ${group}`)).toEqual(done)
  const hogs = await run(`cgexec -g memory:${group} ${script}`)
  expect([hogs.status, hogs.stdout]).toEqual([137, '.....'.repeat(10)])
  expect(hogs.stderr.match(/Killed +hutch hog 100M$/gm)).toHaveLength(10)
  expect((await run(`cgset -r pids.max=5 ${group}`)).status).toBe(0)

  const container = `cgexec -g memory:${group} unshare --pid --fork --mount-proc`
  const shown = await run(container, 'ps\ncat /proc/1/cgroup\necho $$\n')
  expect(shown).toMatchObject({ status: 0, stderr: '' })
  const [heading, ...lines] = shown.stdout.trimEnd().split('\n')
  expect(heading).toMatch(/^ +PID TTY +TIME CMD$/)
  expect(lines[0]).toMatch(/^ +1 .* sh$/)
  expect(lines[1]).toMatch(/^ +\d+ .* ps$/)
  expect(lines.at(-1)).toBe('1')
  expect(lines.filter((line) => line.endsWith(`:/${group}`)).toSorted()).toEqual(
    v1 ? [expect.stringMatching(/^\d+:memory:/), expect.stringMatching(/^\d+:pids:/)].toSorted() : [`0::/${group}`],
  )

  // unshare, the shell and three more are five tasks
  const forks = await run(container, 'for i in 1 2 3 4 5; do sleep 100 & echo $i; done\n')
  expect(forks).toMatchObject({ status: 2, stdout: '1\n2\n3\n', stderr: expect.stringMatching(/: Cannot fork\n$/) })
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(directory)

  expect(await run(`cgdelete memory:${group}`)).toEqual(done)
  expect(left()).toEqual([])
})
