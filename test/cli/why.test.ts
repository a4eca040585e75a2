// SPDX-License-Identifier: Apache-2.0
// hutch why.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test, vi } from 'vitest'
import { Cgroup, type Explanation, type Result } from '../../src/index.ts'
import { mayBeRecorded } from '../../src/monitor/recording/file.ts'
import { describeSamples, readRecentHistory } from '../../src/monitor/recording/recent-history.ts'
import { openRecorder } from '../../src/monitor/recording/recorder.ts'
import type { GroupSample } from '../../src/monitor/sample.ts'
import { readLog } from '../../src/why/kernel-log.ts'
import { hutchArgs, hutchFile, hutchIn, hutchLine, isNeeded } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { begin, collect, hasLooked, hutch, type Running } from './hutch.ts'

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
      'timed out after 100 ms: sleep ended on SIGTERM',
      '  memory.max   no limit   peak …',
      '  remedy       measure how long it takes: run it once without --timeout; or check what the program is waiting for',
      '',
    ].join('\n'),
  )
  const json = await hutch(['why', '--json', report])
  const { target, causes } = JSON.parse(json.stdout) as Explanation
  expect([json.status, target.kind, causes[0]!.cause]).toEqual([0, 'report', 'timeout'])
})

/** A process of whose number the kernel's log tells nothing: numbers come again, and of one that is gone nothing else is known. */
async function unheardOf(): Promise<Running> {
  const { kills, faults } = readLog()
  const told = new Set([...kills, ...faults].map(({ pid }) => pid))
  for (;;) {
    const one = begin('sleep', ['60'])
    if (!told.has(one.pid)) return one
    process.kill(one.pid, 'SIGKILL')
    await one.ended
  }
}

test('where nothing was found the status is 1, and the kernel is ruled out', async () => {
  const { pid, ended } = await unheardOf()
  await using group = await Cgroup.create(`hutch-test-${process.pid}-quiet`)
  await group.add(pid)
  const alive = await hutch(['why', String(pid)])
  expect([alive.status, alive.stdout]).toEqual([1, expect.stringContaining(`nothing stops or slows process ${pid}`)])
  process.kill(pid, 'SIGKILL')
  await ended
  const gone = await hutch(['why', String(pid)])
  expect([gone.status, gone.stdout]).toEqual([1, expect.stringContaining(`process ${pid} no longer exists`)])
  expect(gone.stdout).toContain('a signal that a process sent')
})

test.each([
  [[], 'the last run'],
  [['a', 'b'], 'unexpected argument b'],
  [['/no/such/group'], 'there is no process, group or report /no/such/group'],
  [['/etc/passwd'], 'cannot use /etc/passwd as the report of a run: not JSON'],
  [['../..'], 'invalid path ../.. for the group'],
])('why %j is refused', async (words, message) => {
  const { status, stderr } = await hutch(['why', ...words])
  expect([status, stderr]).toEqual([125, expect.stringContaining(message)])
})

test('who may not read the kernel’s log is told so, and what the report says all the same', async (context) => {
  requires(context, 'root')
  for (const part of ['dist', 'build']) cpSync(part, `${work}/${part}`, { recursive: true, filter: isNeeded })
  const report = `${work}/killed.json`
  const job = ['--memory', '8M', '--swap', '0', '--', 'sh', '-c', 'hutch hog 20M; exit 1']
  await hutch(['run', '--quiet', '--report', report, ...job])
  chmodSync(report, 0o644)
  chmodSync(work, 0o755)
  const asNobody = { uid: 65534, gid: 65534, cwd: '/' }
  const [file, ...before] = hutchIn(work)
  const { status, stdout } = await collect(file, [...before, 'why', report], asNobody)
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^hutch \(pid \d+\) was killed \(OOM\)/)])
  const hidden = readFileSync('/proc/sys/kernel/dmesg_restrict', 'utf8') === '1\n'
  expect(stdout.includes("not known: the kernel's log cannot be read (EPERM)")).toBe(hidden)
})

test('a recording tells of a group that is gone, and of one that is there what was before', async (context) => {
  requires(context, 'not a VM', 'hutch for Node')
  const db = `${work}/seen.db`
  const path = `/hutch-test-${process.pid}-seen`
  const group = await Cgroup.create(path, { files: { 'memory.max': '8M', 'memory.swap.max': 0, 'pids.max': 9 } })
  await Cgroup.create(`${path}/quiet`)
  const recorder = begin(hutchFile, [...hutchArgs, 'record', '--db', db, '--interval', '250ms'])
  while (!statSync(db, { throwIfNoEntry: false })?.size) await new Promise((resolve) => setTimeout(resolve, 50))
  // a look at a group without a sign of life leaves its kills to a later one
  const script = `while [ ! -e ${work}/go ]; do sleep 0.1; done; tail /dev/zero; : > ${work}/killed; while [ ! -e ${work}/end ]; do sleep 0.1; done`
  const job = hutch(['cgroup', 'exec', path, '--', 'sh', '-c', script])
  await vi.waitFor(() => expect(group.processes()).not.toEqual([]), 60_000)
  await hasLooked(recorder.pid)
  writeFileSync(`${work}/go`, '')
  // the shell tells of its end
  await vi.waitFor(() => expect(existsSync(`${work}/killed`)).toBe(true), 60_000)
  await hasLooked(recorder.pid)
  writeFileSync(`${work}/end`, '')
  await job
  const there = await hutch(['why', '--db', db, path])
  await Cgroup.open(`${path}/quiet`).remove()
  await group.remove({ kill: true })
  await hasLooked(recorder.pid)
  process.kill(recorder.pid, 'SIGTERM')
  await recorder.ended
  // of this one the kernel's log knows nothing
  const quiet = await hutch(['why', '--db', db, `${path}/quiet`])
  expect([quiet.status, quiet.stdout]).toEqual([
    1,
    expect.stringMatching(`^no process was killed for memory in ${path}/quiet, which is gone\n`),
  ])
  const gone = await hutch(['why', '--db', db, path])
  expect([gone.status, gone.stdout]).toEqual([0, expect.stringContaining('1 process was killed (OOM)')])
  expect(gone.stdout).toMatch(/recorded +in .*seen\.db, from 20.* to 20.*, and removed at 20/)
  expect(gone.stdout).toMatch(/killed +1 for memory, the last at 20/)
  const { causes, recorded } = JSON.parse((await hutch(['why', '--json', '--db', db, path.slice(1)])).stdout)
  expect([causes[0].cause, recorded.group, recorded.kills.length]).toEqual(['oom', path, 1])
  expect(there.stdout).toMatch(/^1 process was killed \(OOM\): .* asked for more than memory\.max allows/)
  const unseen = await hutch(['why', '--db', db, `${path}-never`])
  expect([unseen.status, unseen.stderr]).toEqual([125, expect.stringContaining('there is no process, group or report')])
  const missing = await hutch(['why', '--db', `${work}/none.db`, path])
  expect([missing.status, missing.stderr]).toEqual([125, expect.stringContaining('none.db')])
})

const looked = (memory: number, wait = 0) =>
  ({ memory, memoryPressure: { some: { avg10: wait, totalUsec: 0 } } }) as GroupSample

/** A job of the last twenty seconds, in a group that the recording has since nine. */
const ended = {
  reason: 'oom',
  usage: {},
  durationMs: 20_000,
  cgroup: { layout: 'v2', path: '/job' },
  cause: { kind: 'oom', limit: { file: 'memory.max', level: 'ancestor', group: '/above' } },
} as unknown as Result

/** `/job` takes 1 MiB more a second from the third on. */
async function recorded(file: string): Promise<string> {
  const recorder = await openRecorder(file, { interval: 1000, keep: 86_400_000, size: 2 ** 27 })
  const now = Date.now()
  for (let i = 0; i < 9; i++) {
    const groups = new Map([
      ['/', looked(2 ** 30)],
      ['/above', looked(2 ** 30)],
      ['/job', looked((1 + Math.max(0, i - 2)) * 2 ** 20, i * 10)],
    ])
    recorder.add({ time: now - 9000 + i * 1000, groups })
  }
  recorder.close()
  return file
}

test('a verdict hears of what was recorded: since when memory rose and to what, and the worst pressure', async () => {
  const file = await recorded(`${work}/job.db`)
  // an emulated machine takes longer than a verdict waits
  const lines = (await readRecentHistory(file, ended, 30_000)).map(
    ([label, text]) => `${label} ${text.replace(/\d\d:\d\d:\d\d/g, 'T')}`,
  )
  const day = '\\d{4}-\\d\\d-\\d\\d'
  expect(lines).toEqual([
    expect.stringMatching(`^recorded ${day} T to T, by hutch record$`),
    'memory rose from 1.0 MiB at T to 7.0 MiB at T',
    'pressure some task waited for memory 80 % of the time at T',
    expect.stringMatching(`^recorded /above, ${day} T to T, by hutch record$`),
    'memory at most 1.0 GiB, and never much less',
  ])
  expect(await readRecentHistory(file, { ...ended, durationMs: 0 })).toEqual([])
  expect(describeSamples(undefined, [{ time: 0, sample: looked(1) }])).toEqual([])
  expect([mayBeRecorded(ended, file), mayBeRecorded({ ...ended, reason: 'exit' }, file)]).toEqual([true, false])
  expect([mayBeRecorded({ ...ended, durationMs: 0 }, file), mayBeRecorded(ended, `${file}-none`)]).toEqual([
    false,
    false,
  ])
})

test('a recording that is missing, damaged, hostile or at work costs a verdict nothing and says nothing', async () => {
  const good = await recorded(`${work}/good.db`)
  const spoil: { [how: string]: (file: string) => void } = {
    missing: (file) => rmSync(file),
    'cut off': (file) => truncateSync(file, 9000),
    'not a database': (file) => writeFileSync(file, 'x'.repeat(10_000)),
    huge: (file) => {
      writeFileSync(file, '')
      truncateSync(file, 2 ** 40)
    },
    'a pipe': (file) => {
      rmSync(file)
      execFileSync('mkfifo', [file])
    },
    'a directory': (file) => {
      rmSync(file)
      mkdirSync(file)
    },
    'a link': (file) => {
      rmSync(file)
      symlinkSync(good, file)
    },
    'open to others': (file) => chmodSync(file, 0o666),
    'with a log that is too long': (file) => {
      writeFileSync(`${file}-wal`, '', { mode: 0o600 })
      truncateSync(`${file}-wal`, 2 ** 30)
    },
    ...(process.getuid!() === 0 && { "another's": (file) => chownSync(file, 65534, 65534) }),
  }
  for (const [how, act] of Object.entries(spoil)) {
    const file = `${work}/${how}.db`
    copyFileSync(good, file)
    chmodSync(file, 0o600)
    expect(await readRecentHistory(file, ended, 30_000), `before it is ${how}`).toHaveLength(5)
    act(file)
    const begun = performance.now()
    expect(await readRecentHistory(file, ended), how).toEqual([])
    expect(performance.now() - begun, how).toBeLessThan(1000)
  }
  // a recorder holds its file all the time
  mkdirSync(`${good}.lock`)
  expect(await readRecentHistory(good, ended, 30_000)).toHaveLength(5)
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`hutch-replay-${process.pid}-`))).toEqual([])
})

test('hutch run tells of what hutch record saw, behind its verdict', async (context) => {
  requires(context, 'root', 'not a VM', 'unshare(1)', 'hutch for Node')
  const script = `mount -t tmpfs none /var/lib; hutch() { ${hutchLine} "$@"; }; cd ${work}
    { while [ ! -e begun ]; do sleep 0.05; done; hutch record --interval 100ms --for 1s; touch over; } &
    hutch run --memory 24M --swap 0 -- sh -c 'hutch hog 9M --hold 60s > begun &
      while [ ! -e over ]; do sleep 0.05; done; tail /dev/zero; exit 1'; wait`
  const { stderr } = await collect('unshare', ['--mount', 'sh', '-c', script])
  expect(stderr).toMatch(/remedy .*\n {2}recorded {5}20.* by hutch record\n {2}memory {7}(rose|at most) .*\n/)
})
