// SPDX-License-Identifier: Apache-2.0
// hutch run: exit statuses and reports for judges of contests.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Ajv } from 'ajv'
import { afterAll, expect, test } from 'vitest'
import { runAs } from '../support/anyone.ts'
import { hutchLine } from '../support/command.ts'
import { watchTimer } from '../support/late.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
afterAll(() => rmSync(directory, { recursive: true }))
const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync('report.schema.json', 'utf8')),
)
const run = (...words: string[]) => hutch(['run', ...words], { cwd: directory })
const read = (name: string) => readFileSync(`${directory}/${name}`, 'utf8')

test('a judge has its streams in files, a report and a meta file', async () => {
  writeFileSync(`${directory}/in`, 'hello\n')
  writeFileSync(`${directory}/out`, 'what was there before, and longer')
  const judged = ['--cpu-time', '20s', '--timeout', '60s', '--report', 'report', '--meta', 'meta', '--max-output', '1M']
  const files = ['--stdin', 'in', '--stdout', 'out', '--stderr', 'err']
  expect(await run(...judged, ...files, '--', 'sh', '-c', 'cat; echo oh >&2; exit 3')).toEqual({
    status: 3,
    stdout: '',
    stderr: '',
  })
  expect([read('out'), read('err')]).toEqual(['hello\n', 'oh\n'])
  const report = JSON.parse(read('report'))
  validate(report)
  expect(validate.errors).toBeNull()
  expect(report).toMatchObject({ judge: 'RE', reason: 'exit' })
  expect(read('meta')).toMatch(
    /^time:\d+\.\d{3}\ntime-wall:\d+\.\d{3}\nmax-rss:\d+\ncsw-voluntary:\d+\ncsw-forced:\d+\n(cg-mem:\d+\n)?exitcode:3\nstatus:RE\nmessage:Exited with error status 3\n$/,
  )
})

test('a program that computes for ever is stopped and told so', async () => {
  const stop = watchTimer()
  const { status, stderr } = await run('--cpu-time', '200ms', '--meta', 'meta', '--', 'sh', '-c', 'while :; do :; done')
  expect(status).toBe(124)
  expect(stderr).toMatch(
    /^hutch: sh used more than 200 ms of CPU time and was killed\n {2}cpu time {5}limit 200 ms {3}used \d+ ms/,
  )
  expect(stderr).toContain(
    'remedy       measure how much CPU time it takes: run it once without --cpu-time; or check what it computes',
  )
  expect(read('meta')).toMatch(/^time:\d+\.\d{3}\n[\s\S]*killed:1\nstatus:TO\nmessage:Time limit exceeded\n$/)
  const used = Number(/^time:([\d.]+)/.exec(read('meta'))![1])
  expect(used).toBeGreaterThanOrEqual(0.2)
  // the command computes on until a busy machine lets hutch stop it
  expect(used).toBeLessThan(1 + (10 * stop()) / 1000)
})

test('endless output stops at the cap: to a pipe, to a file, and when its reader goes away', async () => {
  const { status, stdout, stderr } = await run('--max-output', '1000', '--', 'yes')
  expect([status, stdout.length]).toEqual([137, 1000])
  expect(stderr).toContain('hutch: yes wrote more than 1000 B to stdout and was killed')
  expect((await run('--max-output', '1000', '--stdout', 'capped', '--', 'yes')).status).toBe(137)
  expect(statSync(`${directory}/capped`).size).toBe(1000)
  const command = `${hutchLine} run --quiet --max-output 1G -- yes | head -c 10; echo \${PIPESTATUS[0]}`
  expect((await collect('bash', ['-c', command])).stdout).toBe(`${'y\n'.repeat(5)}141\n`)
})

test('who outlives the job and holds its streams is not waited for', async (context) => {
  requires(context, 'root', 'setpriv(1)')
  // without a group and a pid namespace, nothing ends it
  const words = ['--isolate', 'none', '--max-output', '100', '--', 'sh', '-c', 'setsid sleep 1000 & echo $!']
  const ended = await runAs(65534, words)
  expect(ended).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\n$/), stderr: '' })
  // this would say so if it had been waited for
  process.kill(Number(ended.stdout), 'SIGKILL')
})

test('streams of one file share it, by any of its names', async () => {
  const script = 'echo a; echo b >&2; echo c'
  await run('--stdout', 'one', '--stderr', './one', '--', 'sh', '-c', script)
  expect(read('one')).toBe('a\nb\nc\n')
  await run('--stdout', 'one', '--stderr', `${directory}/one`, '--max-output', '1K', '--', 'sh', '-c', script)
  expect(read('one')).toBe('a\nb\nc\n')
  expect((await run('--stdout', '/dev/null', '--', 'echo')).status).toBe(0)
})

test.each([
  [['--stdin', 'gone'], /cannot read gone: .*ENOENT[\s\S]*remedy: give --stdin a file that is there/],
  [['--stdout', '.'], /cannot write \.: .*EISDIR[\s\S]*remedy: give --stdout a file/],
  [['--stderr', 'gone/x'], /cannot write gone\/x: .*ENOENT[\s\S]*remedy: give --stderr a file/],
  [['--meta', 'gone/x'], /cannot write the meta file gone\/x: .*ENOENT[\s\S]*remedy: give --meta a file/],
  [['--extra-time', '1s'], /cannot use --extra-time: [\s\S]*remedy: give --cpu-time, too/],
  [['--max-output', 'much'], /invalid value much for --max-output/],
])('%j is refused by the name of its flag, and nothing runs', async (words, message) => {
  const { status, stdout, stderr } = await run(...words, '--', 'echo', 'ran')
  expect([status, stdout]).toEqual([125, ''])
  expect(stderr).toMatch(message)
})

test('what hutch could not do, and what is no program, is internal in the meta file', async () => {
  expect((await run('--meta', 'meta', '--workdir', '/no/such', '--', 'true')).status).toBe(125)
  expect(read('meta')).toMatch(/^status:XX\nmessage:cannot enter the working directory[^\n]*\n$/)
  expect((await run('--meta', 'meta', '--', './no-such')).status).toBe(127)
  expect(read('meta')).toMatch(/status:XX\nmessage:cannot run \.\/no-such: no such program \(ENOENT\)\n$/)
  // an option that is refused leaves no result of a run before
  expect((await run('--meta', 'meta', '--memory', 'much', '--', 'true')).status).toBe(125)
  expect(read('meta')).toBe('status:XX\nmessage:invalid value much for --memory\n')
  expect((await run('--meta', 'meta', '--report', 'gone/x', '--', 'true')).status).toBe(125)
  expect(read('meta')).toMatch(/^status:XX\nmessage:cannot write the report gone\/x: [^\n]*\n$/)
  expect((await run('--meta', 'meta', '--memory', '-1', '--explain', '--', 'true')).status).toBe(125)
  expect(read('meta')).toContain('the report')
})

test('files are opened by the caller, not by who the command is', async () => {
  mkdirSync(`${directory}/closed`, { mode: 0o700 })
  const { status } = await run(
    '--user',
    'nobody',
    '--workdir',
    '/',
    '--stdout',
    `${directory}/closed/out`,
    '--',
    'id',
    '-u',
  )
  expect([status, read('closed/out')]).toEqual([0, '65534\n'])
})
