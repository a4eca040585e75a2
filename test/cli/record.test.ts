// SPDX-License-Identifier: Apache-2.0
// hutch record and hutch replay: what was, is told; whatever ends the recorder, the file is good; a file of others' is only data.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
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
import { setTimeout as pause } from 'node:timers/promises'
import sqlite from 'node-sqlite3-wasm'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Cgroup, HutchError } from '../../src/index.ts'
import { openRecorder } from '../../src/monitor/recording/recorder.ts'
import { history, openRecording } from '../../src/monitor/recording/recording.ts'
import type { GroupSample } from '../../src/monitor/sample.ts'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { endSleepers, startQuiet } from '../support/sleeper.ts'
import { begin, collect, hasLooked, hutch } from './hutch.ts'
import { closeTerminal, openTerminal, press, start, until, write } from './tmux.ts'

const top = `/hutch-test-${process.pid}`
let place: string

beforeAll(() => {
  place = mkdtempSync(`${tmpdir()}/hutch-record-`)
})
afterAll(() => {
  rmSync(place, { recursive: true, force: true })
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('hutch-replay-'))).toEqual([])
})
// minutes there; what a look at v2's files gives is tested with hutch stats
beforeEach((context) => requires(context, 'not a VM', 'hutch for Node'))
afterEach(async () => {
  closeTerminal()
  await endSleepers()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

const options = { interval: 1000, keep: 86_400_000, size: 2 ** 27 }
const sample = (memory: number, cpuUsec = 0) => ({ memory, cpuUsec, populated: true, pids: 1 }) as GroupSample
const begun = Date.UTC(2026, 0, 31, 12)

/** A recording of `seconds` looks at made-up groups: `/job` uses its second as KiB. */
async function made(file: string, seconds: number, change: Partial<typeof options> = {}): Promise<string> {
  const recorder = await openRecorder(file, { ...options, ...change })
  for (let i = 0; i < seconds; i++) {
    const groups = new Map([
      ['/', sample(2 ** 30)],
      ['/job', sample(i * 1024, i * 500_000)],
    ])
    recorder.add({ time: begun + i * 1000, groups })
  }
  recorder.close()
  return file
}

const lines = (text: string) => text.trimEnd().split('\n')

test('a hog that is gone is replayed with its peak, and who was killed for memory', async () => {
  const file = `${place}/hog.db`
  const group = await Cgroup.create(`${top}/hog`, { files: { 'memory.max': '40M' } })
  await Cgroup.create(`${top}/idle`)
  const recorder = begin(process.execPath, [cli, 'record', '--db', file, '--interval', '100ms'])
  await eventually(() => existsSync(file) && statSync(file).size > 0)
  await hasLooked(recorder.pid)
  // tail(1) keeps what it reads: 30 MB for a while, then more than it may have
  const hold = '(head -c 30000000 /dev/zero; sleep 2) | tail > /dev/null'
  const hog = startQuiet('sh', [
    '-c',
    `while [ ! -e ${place}/go ]; do sleep 0.1; done; ${hold}; head -c 90000000 /dev/zero | tail`,
  ])
  await group.add(hog.pid!)
  const ended = once(hog, 'exit')
  writeFileSync(`${place}/go`, '')
  await ended
  await hasLooked(recorder.pid)
  await Cgroup.open(`${top}/hog`).remove({ recursive: true, kill: true })
  await hasLooked(recorder.pid)
  // as when its terminal is closed
  process.kill(recorder.pid, 'SIGHUP')
  expect(await recorder.ended).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const { stdout } = await hutch(['replay', file, top, '--list', '--json'])
  const { groups, events } = JSON.parse(stdout)
  // as the other commands, it takes the end of a path
  expect(JSON.parse((await hutch(['replay', file, top.slice(1), '--list', '--json'])).stdout).groups).toEqual(groups)
  const told = groups.find(({ path }: { path: string }) => path === `${top}/hog`)
  expect(told.memory).toBeGreaterThan(29e6)
  expect(told.memory).toBeLessThanOrEqual(40 * 2 ** 20)
  expect(told.oomKills).toBeGreaterThanOrEqual(1)
  expect(groups.map(({ path }: { path: string }) => path)).toEqual([top, `${top}/hog`, `${top}/idle`])
  expect(events.map(({ path, kind }: { path: string; kind: string }) => [path, kind])).toEqual(
    expect.arrayContaining([
      [`${top}/hog`, 'oom'],
      [`${top}/hog`, 'gone'],
    ]),
  )
  const killed = events.find(({ kind }: { kind: string }) => kind === 'oom').time
  const then = JSON.parse((await hutch(['replay', file, '--at', killed, '--json', `${top}/hog`])).stdout)
  expect(then.groups).toEqual([expect.objectContaining({ path: `${top}/hog`, memoryMax: 40 * 2 ** 20 })])
  expect(then.groups[0].oomKills).toBeGreaterThanOrEqual(1)
  // at its end the group was gone
  expect((await hutch(['replay', file, '--at', '-0s', top])).stdout).not.toContain('/hog')
  const course = await history(file, `${top}/hog`, 0, Number.MAX_SAFE_INTEGER)
  expect(Math.max(...course.map((one) => one.sample.memory ?? 0))).toBe(told.memory)
})

test('on a terminal, progress is shown, and only there', async () => {
  const args = ['record', '--db', `${place}/progress.db`, '--interval', '100ms', '--for', '1s']
  const line = `'${process.execPath}' '${cli}' ${args.join(' ')}`
  const { stdout } = await collect('script', ['-qec', line, '/dev/null'])
  expect(stdout).toMatch(/\r\x1b\[Khutch: sample 2 after [\d.]+ m?s, \d+ groups/)
  expect((await hutch(args)).stderr).toBe('')
})

test('kill -9 loses no more than the last minute, and the file goes on', async () => {
  const file = `${place}/killed.db`
  await Cgroup.create(`${top}/lives`)
  const recorder = begin(process.execPath, [cli, 'record', '--db', file, '--interval', '50ms'])
  const count = async () => lines((await hutch(['replay', file, '--list'])).stdout).length
  await eventually(async () => (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 70_000)
  const busy = await hutch(['record', '--db', file, '--for', '1s'])
  expect(busy.status).toBe(125)
  expect(busy.stderr).toMatch(
    new RegExp(`cannot record into ${file}: process ${recorder.pid} already does\n  remedy: end it`),
  )
  process.kill(recorder.pid, 'SIGKILL')
  const killedAt = Date.now()
  await recorder.ended
  const recording = await openRecording(file)
  const end = Math.max(...recording.spans.map((span) => span.end))
  // 60 looks at 50 ms, and what the machine was late
  expect(killedAt - end).toBeLessThan(process.env.VM ? 60_000 : 20_000)
  expect(recording.read(recording.spans[0]!)).toHaveLength(60)
  recording.close()
  expect(readdirSync(place).filter((name) => name.startsWith('killed'))).toEqual([
    'killed.db',
    'killed.db-wal',
    'killed.db.lock',
  ])
  const before = await count()
  expect(await hutch(['record', '--db', file, '--for', '1s'])).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(await count()).toBeGreaterThanOrEqual(before)
  expect(readdirSync(place).filter((name) => name.startsWith('killed'))).toEqual(['killed.db'])
})

test('a write that was cut off is taken back by the reader, who leaves the file as it is', async () => {
  const file = await made(`${place}/cut.db`, 60)
  const writer = new sqlite.Database(file)
  writer.exec('PRAGMA locking_mode=exclusive; PRAGMA cache_size=1')
  // one that is in the log alone, and one whose pages went there, but not its end
  writer.exec("BEGIN; INSERT INTO groups (path) VALUES ('/late'); COMMIT")
  writer.exec("BEGIN; UPDATE groups SET path = '/spoilt' WHERE path = '/job'")
  writer.exec(
    'INSERT INTO blocks (span, member, samples) SELECT 99, 1, randomblob(4000) FROM groups a, groups b, groups c',
  )
  for (const end of ['', '-wal']) copyFileSync(file + end, `${place}/torn.db${end}`)
  writer.exec('ROLLBACK')
  writer.close()
  expect(readFileSync(`${place}/torn.db-wal`).includes('/spoilt')).toBe(true)
  const bytes = ['', '-wal'].map((end) => readFileSync(`${place}/torn.db${end}`))
  const torn = await openRecording(`${place}/torn.db`)
  expect(torn.paths()).toEqual(['/', '/job', '/late'])
  expect(torn.read(torn.spans[0]!)).toHaveLength(60)
  torn.close()
  expect(['', '-wal'].map((end) => readFileSync(`${place}/torn.db${end}`))).toEqual(bytes)
})

test('every look is kept for an hour, then one in ten seconds with its peak; what is too old or too much goes', async () => {
  const file = await made(`${place}/long.db`, 2 * 3600)
  const recording = await openRecording(file)
  const of = (from: number, to: number) => recording.history('/job', begun + from * 1000, begun + to * 1000)
  expect(of(7190, 7199)).toHaveLength(10)
  expect(of(600, 1199)).toHaveLength(60)
  // the last look of each ten seconds, and the largest memory of them
  expect(of(600, 609)).toEqual([
    { time: begun + 609_000, sample: expect.objectContaining({ memory: 609 * 1024, cpuUsec: 609 * 500_000 }) },
  ])
  expect(of(0, 7200).length).toBeLessThan(3600 + 360 + 700)
  recording.close()
  const kept = await openRecording(await made(`${place}/kept.db`, 1800, { keep: 600_000 }))
  expect(kept.spans[0]!.start).toBeGreaterThan(begun + 1100_000)
  kept.close()
  await made(`${place}/small.db`, 20_000, { size: 2 ** 17 })
  expect(statSync(`${place}/small.db`).size).toBeLessThanOrEqual(2 ** 17)
}, 120_000)

test('a moment is shown as a table, as JSON, or with what is wrong about it', async () => {
  const file = await made(`${place}/moment.db`, 200)
  const table = lines((await hutch(['replay', file, '--at', '2026-01-31T12:01:40Z'])).stdout)
  // by this machine's clock, as it can be given back
  const local = new Date(begun + 100_000)
  expect(table[0]).toBe(`${local.toLocaleDateString('sv')} ${local.toLocaleTimeString('sv')}`)
  expect(lines((await hutch(['replay', file, '--at', table[0]!])).stdout)).toEqual(table)
  expect(table[1]!.split(/ {2,}/).slice(0, 2)).toEqual(['GROUP', 'CPU %'])
  expect(table[2]).toMatch(/^\/job +50\.00% +100\.0 KiB/)
  const { time, groups } = JSON.parse((await hutch(['replay', file, '--at', '-9s', '--json'])).stdout)
  expect([time, groups[0].memory, groups[0].rates.cpus]).toEqual(['2026-01-31T12:03:10.000Z', 190 * 1024, 0.5])
  for (const [args, said] of [
    [['--at', '24:00'], /invalid value 24:00 for --at/],
    [['--list', 'web'], /cannot show the group web of .*moment\.db: the recording has no such group/],
    [['--at', 'noon'], /invalid value noon for --at/],
    [['--at', '2026-01-31T11:00Z'], /cannot show 2026-01-31T11:00Z of .*moment\.db: the recording has nothing then/],
    [['--json'], /cannot use --json: it needs --at or --list/],
    [[], /cannot use hutch replay: it needs a terminal/],
  ] as const) {
    const { status, stdout, stderr } = await hutch(['replay', file, ...args])
    expect([status, stdout, stderr]).toEqual([125, '', expect.stringMatching(said)])
  }
})

test('a group that memory.high slowed is told of once a minute, by replay and by why', async () => {
  const file = `${place}/slowed.db`
  const recorder = await openRecorder(file, options)
  // 90 looks, a write each 60: slowed at 10 to 79, and known only from the second on
  for (let i = 0; i < 90; i++) {
    const count = Math.min(Math.max(i - 9, 0), 70) * 2 + 5
    const job = { ...sample(1024, i), memoryHighEvents: i === 0 ? undefined : count }
    // as a group on v1, and one without the limit
    const groups = new Map([
      ['/calm', { ...sample(i), memoryHighEvents: 0 }],
      ['/v1', sample(i)],
      ['/job', job],
    ])
    recorder.add({ time: begun + i * 1000, groups: i < 85 ? groups : new Map() })
  }
  recorder.close()
  const { groups, events } = JSON.parse((await hutch(['replay', file, '--list', '--json'])).stdout)
  const at = (seconds: number) => new Date(begun + seconds * 1000).toISOString()
  expect(events.filter(({ kind }: { kind: string }) => kind === 'high')).toEqual([
    { time: at(10), path: '/job', kind: 'high', count: 100 },
    { time: at(60), path: '/job', kind: 'high', count: 40 },
  ])
  expect(groups.map((one: { path: string; memoryHighEvents: number }) => [one.path, one.memoryHighEvents])).toEqual([
    ['/calm', 0],
    ['/job', 140],
    ['/v1', 0],
  ])
  expect((await hutch(['replay', file, '--list'])).stdout).toMatch(/SLOWED\n.*\n\/job .* 0 {3} +140\n/)
  const { status, stdout } = await hutch(['why', '--db', file, 'job'])
  expect([status, stdout.split('\n', 1)[0]]).toEqual([
    0,
    '/job, which is gone, or a group in it was throttled for memory 140 times',
  ])
  expect(stdout).toMatch(/slowed +140 times by memory\.high, from 2026-01-31 ..:00:10 to 2026-01-31 ..:01:00\n/)
  expect((await hutch(['why', '--db', file, 'calm'])).stdout).not.toContain('memory.high')
})

test('the screen plays, stops, steps and jumps', async (context) => {
  requires(context, 'tmux(1)')
  const file = await made(`${place}/screen.db`, 400)
  openTerminal(130, 24)
  start('replay', file)
  await until(/^hutch replay {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}1×/m)
  press('p')
  await until(/paused/)
  press('<')
  await until((text) => !/job/.test(text) || /job .* 0B/.test(text))
  press('.', '.')
  await until(/job +50\.0%.* 2\.0K/)
  press(',')
  await until(/ 1\.0K/)
  press(']')
  await until(/ 61\.0K/)
  press('>')
  await until(/ 399\.0K/)
  press('[')
  await until(/ 339\.0K/)
  press('g')
  write(`@${begun / 1000 + 299}`)
  press('Enter')
  await until(/ 299\.0K/)
  press('k')
  await until(/this is a recording and cannot be changed/)
  press('+', '+', '+', 'p')
  await until(/10× .*|399\.0K/)
  await until(/ 399\.0K/)
  press('?')
  await until(/back or forward by a minute, by an hour/)
  press('x', 'q')
  await until((text) => text.trimEnd().endsWith('prompt>'))
})

test('a file that is no recording, damaged or hostile is refused by words, and never changed', async () => {
  const good = await made(`${place}/good.db`, 130)
  const bytes = readFileSync(good)
  const sql = (name: string, text: string) => {
    copyFileSync(good, `${place}/${name}`)
    const db = new sqlite.Database(`${place}/${name}`)
    db.exec(`PRAGMA locking_mode=exclusive; ${text}`)
    db.close()
    return `${place}/${name}`
  }
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(`${place}/${name}`, content)
    return `${place}/${name}`
  }
  execFileSync('mkfifo', [`${place}/pipe`])
  const bad: [string, RegExp][] = [
    [`${place}/nowhere`, /cannot read .*nowhere: ENOENT/],
    [place, /not a regular file/],
    [`${place}/pipe`, /not a regular file/],
    [file('empty', ''), /the file is a database, but not a recording/],
    [file('text', 'no database at all\n'.repeat(400)), /file is not a database/],
    [file('half', bytes.subarray(0, bytes.length >> 1)), /malformed|damaged/],
    [sql('other', 'PRAGMA application_id=7'), /the file is a database, but not a recording/],
    [sql('newer', 'PRAGMA user_version=2'), /its format is 2, this hutch reads 1/],
    [
      sql(
        'view',
        'DROP TABLE events; CREATE VIEW events AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i id, i time, 1 member, i kind, i count FROM n',
      ),
      /its tables do not belong to a recording/,
    ],
    [sql('trigger', 'CREATE TRIGGER t AFTER INSERT ON spans BEGIN SELECT 1; END'), /its tables do not belong/],
    [
      sql(
        'schema',
        "PRAGMA writable_schema=on; UPDATE sqlite_schema SET name = char(27) || '[31m', sql = 'CREATE TABLE ((' WHERE name = 'events'",
      ),
      /malformed database schema \(\\x1b\[31m\)/,
    ],
    [sql('times', "UPDATE spans SET times = x'ffffffffffffffffff'"), /the times of span \d are damaged/],
    [sql('words', "UPDATE spans SET start = 'yesterday'"), /it contains an invalid time/],
    [sql('block', "UPDATE blocks SET samples = x'ffffff7f'"), /a block of span \d is damaged/],
    [sql('null', 'DELETE FROM spans'), /cannot show|GROUP/],
  ]
  for (const [path, said] of bad) {
    const before = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    const { status, stdout, stderr } = await hutch(['replay', path, '--at', '-10s'])
    expect([path, status, stdout, stderr]).toEqual([
      path,
      125,
      '',
      expect.stringMatching(path.endsWith('null') ? /the recording has nothing then/ : said),
    ])
    expect(stderr).not.toMatch(/^ {4}at |\x1b/m)
    expect(statSync(path, { throwIfNoEntry: false })?.mtimeMs).toBe(before)
  }
  // a recorder touches none of those that are not its own
  for (const name of ['text', 'other', 'view', 'pipe']) {
    const { status, stderr } = await hutch(['record', '--db', `${place}/${name}`, '--for', '1s'])
    expect([name, status, stderr]).toEqual([name, 125, expect.stringMatching(/as a recording/)])
  }
  symlinkSync(good, `${place}/link`)
  expect((await hutch(['record', '--db', `${place}/link`, '--for', '1s'])).stderr).toMatch(/ELOOP\n.*not a link to it/)
  // the control, from a directory that nobody can write
  mkdirSync(`${place}/fixed`)
  copyFileSync(good, `${place}/fixed/good.db`)
  chmodSync(`${place}/fixed`, 0o555)
  expect((await hutch(['replay', `${place}/fixed/good.db`, '--at', '-10s'])).status).toBe(0)
})

test('whatever bytes of a file are others, reading ends, with words', async () => {
  const bytes = readFileSync(await made(`${place}/bytes.db`, 130))
  let refused = 0
  for (let round = 0; round < 150; round++) {
    const changed = Buffer.from(bytes)
    for (let i = 0; i < 1 + (round % 20); i++)
      changed[Math.floor(Math.random() * changed.length)] = Math.floor(Math.random() * 256)
    writeFileSync(`${place}/changed.db`, changed)
    if (round % 10 === 0) truncateSync(`${place}/changed.db`, Math.floor(Math.random() * changed.length))
    try {
      const recording = await openRecording(`${place}/changed.db`)
      try {
        for (const span of recording.spans) recording.read(span)
        recording.events()
        recording.paths()
      } finally {
        recording.close()
      }
    } catch (error) {
      expect(HutchError.is(error) && error.code).toBe('RECORD_INVALID')
      refused++
    }
  }
  expect(refused).toBeGreaterThan(20)
})

async function eventually(done: () => boolean | Promise<boolean>): Promise<void> {
  for (const give = Date.now() + 120_000; !(await done()); await pause(50)) expect(Date.now()).toBeLessThan(give)
}
