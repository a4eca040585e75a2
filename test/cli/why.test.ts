// SPDX-License-Identifier: Apache-2.0
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { Cgroup, type Explanation } from '../../src/index.ts'
import { requires } from '../requires.ts'
import { begin, cli, collect, hutch } from './hutch.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-why-`)
afterAll(() => rmSync(work, { recursive: true }))

test('the report of a run is explained, as text and as JSON', async () => {
  const report = `${work}/job.json`
  const run = await hutch(['run', '--quiet', '--timeout', '100ms', '--report', report, '--', 'sleep', '10'])
  expect(run.status).toBe(124)
  const text = await hutch(['why', report])
  expect(text).toMatchObject({ status: 0, stderr: '' })
  expect(text.stdout.replace(/peak [\d.]+ \w+/, 'peak …')).toBe(
    [
      'timed out after 100 ms: sleep ended at SIGTERM',
      '  memory.max   no limit   peak …',
      '  remedy       raise --timeout, or look at what it waits for',
      '',
    ].join('\n'),
  )
  const json = await hutch(['why', '--json', report])
  const { target, causes } = JSON.parse(json.stdout) as Explanation
  expect([json.status, target.kind, causes[0]!.cause]).toEqual([0, 'report', 'timeout'])
})

test('where nothing was found the status is 1, and the kernel is ruled out', async () => {
  const { pid, ended } = begin('sleep', ['60'])
  const alive = await hutch(['why', String(pid)])
  expect([alive.status, alive.stdout]).toEqual([1, expect.stringContaining(`nothing has stopped process ${pid}`)])
  process.kill(pid, 'SIGKILL')
  await ended
  const gone = await hutch(['why', String(pid)])
  expect([gone.status, gone.stdout]).toEqual([1, expect.stringContaining(`process ${pid} is not there`)])
  expect(gone.stdout).toContain('a signal that a process sent')
})

test.each([
  [[], 'something is missing'],
  [['a', 'b'], 'something is missing'],
  [['/no/such/group'], 'there is no process, group or report /no/such/group'],
  [['/etc/passwd'], 'cannot use /etc/passwd as the report of a run: it is no JSON'],
  [['../..'], 'cannot use ../.. for the group'],
])('why %j is refused', async (words, message) => {
  const { status, stderr } = await hutch(['why', ...words])
  expect([status, stderr]).toEqual([125, expect.stringContaining(message)])
})

test('who may not read the kernel’s log is told so, and what the report says all the same', async (context) => {
  requires(context, 'root')
  for (const part of ['dist', 'build']) cpSync(part, `${work}/${part}`, { recursive: true })
  const report = `${work}/killed.json`
  const job = ['--memory', '8M', '--swap', '0', '--', 'sh', '-c', 'hutch hog 20M; exit 1']
  await hutch(['run', '--quiet', '--report', report, ...job])
  chmodSync(report, 0o644)
  chmodSync(work, 0o755)
  const asNobody = { uid: 65534, gid: 65534, cwd: '/' }
  const { status, stdout } = await collect(process.execPath, [`${work}/dist/cli.cjs`, 'why', report], asNobody)
  expect([status, stdout]).toEqual([0, expect.stringContaining('1 process was killed for memory: sh asked for more')])
  const hidden = readFileSync('/proc/sys/kernel/dmesg_restrict', 'utf8') === '1\n'
  expect(stdout.includes("not known: the kernel's log cannot be read (EPERM)")).toBe(hidden)
})

test('a recording tells of a group that is gone, and of one that is there what was before', async (context) => {
  requires(context, 'not a VM')
  const db = `${work}/seen.db`
  const path = `/hutch-test-${process.pid}-seen`
  const group = await Cgroup.create(path, { files: { 'memory.max': '8M', 'memory.swap.max': 0, 'pids.max': 9 } })
  await Cgroup.create(`${path}/quiet`)
  const recorder = begin(process.execPath, [cli, 'record', '--db', db, '--interval', '250ms', '--for', '3s'])
  await new Promise((resolve) => setTimeout(resolve, 800))
  await hutch(['cgroup', 'exec', path, '--', 'tail', '/dev/zero'])
  await new Promise((resolve) => setTimeout(resolve, 600))
  const there = await hutch(['why', '--db', db, path])
  await Cgroup.open(`${path}/quiet`).remove()
  await group.remove({ kill: true })
  await recorder.ended
  // of this one the kernel's log knows nothing
  const quiet = await hutch(['why', '--db', db, `${path}/quiet`])
  expect([quiet.status, quiet.stdout]).toEqual([
    1,
    expect.stringMatching(`^no process was killed for memory in ${path}/quiet, which is gone\n`),
  ])
  const gone = await hutch(['why', '--db', db, path])
  expect([gone.status, gone.stdout]).toEqual([0, expect.stringContaining('1 process was killed for memory')])
  expect(gone.stdout).toMatch(/recorded +in .*seen\.db, from 20.* to 20.*, and removed at 20/)
  expect(gone.stdout).toMatch(/killed +1 for memory, the last at 20/)
  const { causes, recorded } = JSON.parse((await hutch(['why', '--json', '--db', db, path.slice(1)])).stdout)
  expect([causes[0].cause, recorded.group, recorded.kills.length]).toEqual(['oom', path, 1])
  expect(there.stdout).toMatch(/^1 process was killed for memory: .* asked for more than memory\.max allows/)
  const unseen = await hutch(['why', '--db', db, `${path}-never`])
  expect([unseen.status, unseen.stderr]).toEqual([125, expect.stringContaining('there is no process, group or report')])
  const missing = await hutch(['why', '--db', `${work}/none.db`, path])
  expect([missing.status, missing.stderr]).toEqual([125, expect.stringContaining('none.db')])
})
