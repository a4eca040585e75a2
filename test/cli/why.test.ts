// SPDX-License-Identifier: Apache-2.0
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import type { Explanation } from '../../src/index.ts'
import { requires } from '../requires.ts'
import { begin, collect, hutch } from './hutch.ts'

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
