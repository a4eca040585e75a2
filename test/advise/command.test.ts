// SPDX-License-Identifier: Apache-2.0
// hutch advise as a user runs it: Ctrl-C, failures, servers, groups and files as sources, costs, the page.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Advice } from '../../src/advise/advice.ts'
import { Cgroup, start } from '../../src/index.ts'
import { begin, hutch } from '../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { compileTimeout } from '../support/compile.ts'
import { requires } from '../support/requires.ts'
import { makeWorkloads } from './workloads.ts'

beforeEach((context) => requires(context, 'hutch for Node', 'root'))

let made: ReturnType<typeof makeWorkloads>
let browser: Browser | undefined
const mib = 2 ** 20

beforeAll(async () => {
  made = makeWorkloads()
  browser = await chromium
    .launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    .catch(() => undefined)
}, compileTimeout)
afterAll(async () => {
  await browser?.close()
  made.remove()
})

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function directory(): string {
  const path = mkdtempSync(`${tmpdir()}/hutch-advise-test-`)
  ends.push(() => rmSync(path, { recursive: true }))
  return path
}

const json = (text: string) => JSON.parse(text) as Advice
const lines = (path: string) => {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}

test('Ctrl-C prints what the finished runs show', async () => {
  const log = `${directory()}/log`
  // the third run does not end
  const script = `echo >>${log}; [ $(wc -l <${log}) -lt 3 ] || exec sleep 600; exec ${made.program} hog 20`
  const running = begin(hutchFile!, [...hutchArgs, 'advise', '--json', '--', 'sh', '-c', script])
  await vi.waitFor(() => expect(lines(log)).toBe(3), 30_000)
  process.kill(running.pid, 'SIGINT')
  const { status, stdout } = await running.ended
  const { sure, resources, memory, runs } = json(stdout)
  expect([status, sure.stopped, sure.confirmed, sure.measured]).toEqual([130, true, false, 2])
  expect(runs.map(({ outcome }) => outcome)).toEqual(['passed', 'passed', 'stopped'])
  expect(memory!.need).toBeGreaterThan(20 * mib)
  expect(resources.memoryLimit).toBeGreaterThan(memory!.need)
})

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s before the end of the first run: nothing is known, and nothing is left', async ([signal, expected]) => {
  const log = `${directory()}/log`
  const command = ['--output', 'docker', '--', 'sh', '-c', `echo >>${log}; exec sleep 600`]
  const running = begin(hutchFile!, [...hutchArgs, 'advise', ...command])
  await vi.waitFor(() => expect(lines(log)).toBe(1), 30_000)
  process.kill(running.pid, signal)
  expect(await running.ended).toMatchObject({
    status: expected,
    stdout: '',
    stderr: 'hutch: stopped; the advice for sh is from the runs so far\n',
  })
})

test('a command that fails without limits is refused, with how it ended', async () => {
  const { status, stderr } = await hutch(['advise', '--', 'sh', '-c', 'echo missing >&2; exit 3'])
  expect(status).toBe(125)
  expect(stderr).toMatch(
    /^missing\nhutch: cannot measure "?sh"?: it does not succeed without limits\n.*status 3.*\n.*remedy: /s,
  )
})

test.for<[string[], string]>([
  [[], 'the command to run is missing'],
  [['--runs', '0', '--', 'true'], 'invalid value 0 for --runs'],
  [['--slowdown', 'much', '--', 'true'], 'invalid value much for --slowdown'],
  [['--output', 'paper', '--', 'true'], 'invalid value paper for --output'],
  [['--name', 'A B', '--output', 'docker', '--', 'true'], 'invalid value "A B" for --name'],
  [['--', ''], 'the command to run is missing'],
  [['--load', 'true', '--', 'true'], 'cannot use --load: it applies only to servers'],
  [['--ready', 'soon', '--duration', '1s', '--', 'true'], 'invalid value soon for --ready'],
  [['--watch', '/', '--', 'true'], 'unexpected argument'],
  [['--watch', ''], 'invalid value "" for --watch'],
  [['--watch', '/', '--from', 'a'], 'cannot use --watch: --from is given, too'],
  [['--watch', '/', '--runs', '2'], 'cannot use --runs: --watch is given, too'],
  [['--from', ''], 'invalid value "" for --from'],
  [['--from', 'a', '/group', 'b'], 'unexpected argument'],
  [['--from', 'a', '--duration', '1s'], 'cannot use --duration: --from is given, too'],
  [['--json', '--output', 'docker', '--', 'true'], 'cannot use --json: --output is given, too'],
  [['--image', 'a b', '--output', 'docker', '--', 'true'], 'invalid value "a b" for --image'],
  [['--image', 'a', '--', 'true'], 'cannot use --image: it applies only to --output'],
  [['--name', 'a', '--', 'true'], 'cannot use --name: it applies only to --output'],
  [['--replicas', '2', '--', 'true'], 'cannot use --replicas: it applies only to'],
  [['--replicas', '0', '--cost', 'vcpu=1', '--', 'true'], 'invalid value 0 for --replicas'],
  [['--beside', 'cpu=1', '--', 'true'], 'cannot use --beside: it applies only to --nodes'],
  [['--beside', 'cpu=0', '--nodes', 'a', '--', 'true'], 'invalid value cpu=0 for --beside'],
  [['--today', 'cpu=2', '--', 'true'], 'cannot use --today: it applies only to --cost'],
  [['--cost', 'cpu=1', '--', 'true'], 'unknown price cpu'],
  [['--cost', '/missing', '--', 'true'], 'cannot read the file of --cost'],
  [['--nodes', '/missing', '--', 'true'], 'cannot read the file of --nodes'],
  [['--today', 'cpus=2', '--cost', 'vcpu=1', '--', 'true'], 'invalid value cpus=2 for --today'],
  [['--html', '/missing/page.html', '--', 'true'], 'cannot write the page'],
])('hutch advise %s is refused before the first run', async ([args, words]) => {
  const { status, stderr } = await hutch(['advise', ...args])
  expect([status, stderr.includes(words) ? words : stderr]).toEqual([125, words])
})

test('a server is measured under its load, once it is ready', async () => {
  const port = await freePort()
  const server = `const kept = Buffer.alloc(40e6, 1); require('http').createServer((_, answer) => answer.end(String(kept[5]))).listen(${port}, '127.0.0.1')`
  const load = `${process.execPath} -e "(async () => { for (let i = 0; i < 50; i++) await (await fetch('http://127.0.0.1:${port}/')).text() })()"`
  const flags = ['--runs', '1', '--duration', '60s', '--ready', `http://127.0.0.1:${port}/`, '--load', load]
  const { status, stdout, stderr } = await hutch(['advise', '--json', ...flags, '--', process.execPath, '-e', server])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const { memory, sure, runs } = json(stdout)
  expect(sure.confirmed).toBe(true)
  expect(memory!.need).toBeGreaterThan(40 * mib)
  // the load ends the run, not the duration
  for (const { durationMs } of runs) expect(durationMs).toBeLessThan(60_000)
}, 180_000)

test('a server whose load fails, or that ends, does not pass', async () => {
  const failing = await hutch(['advise', '--duration', '9s', '--load', 'exit 4', '--', 'sleep', '600'])
  expect([failing.status, failing.stderr]).toEqual([125, expect.stringContaining('the load failed: ')])
  const never = await hutch(['advise', '--duration', '1s', '--ready', '/absent/file', '--', 'sleep', '600'])
  expect([never.status, never.stderr]).toEqual([
    125,
    expect.stringMatching(/the server was not ready within 1000 ms\n {2}remedy: raise --duration, /),
  ])
  const ending = await hutch(['advise', '--duration', '9s', '--load', 'sleep 600', '--', 'true'])
  expect([ending.status, ending.stderr]).toEqual([125, expect.stringContaining('the server ended before its load')])
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

test('a report and a group are advised without a run, with their costs of today', async () => {
  const at = directory()
  await hutch([
    'run',
    '--memory',
    '512M',
    '--cpus',
    '1',
    '--report',
    `${at}/report.json`,
    '--',
    made.program,
    'hog',
    '30',
  ])
  const cost = ['--cost', 'vcpu=0.04,gib=0.005/h', '--replicas', '10']
  const report = json((await hutch(['advise', '--json', '--from', `${at}/report.json`, ...cost])).stdout) as Advice & {
    cost: { today: { month: string } }
  }
  expect([report.source, report.command.slice(1)]).toEqual(['report', ['hog', '30']])
  // 15 % above the peak
  expect(report.resources.memoryLimit! / report.memory!.peak).toBeCloseTo(1.15, 2)
  // 10 × (1 × 0.04 + 0.5 × 0.005) × 730
  expect(report.cost.today.month).toBe('$310.25')
  const path = `/hutch-test-${process.pid}-watched`
  const group = await Cgroup.create(path, { limits: { memory: '256M' } })
  ends.push(() => group.remove({ kill: true }))
  const job = await start('sh', ['-c', `x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo; sleep 600`], {
    parent: path,
  })
  ends.push(() => job.stop())
  await new Promise((resolve) => job.stdout.once('data', resolve))
  const watched = json((await hutch(['advise', '--json', '--watch', path, '--duration', '1s', ...cost])).stdout)
  expect([watched.source, watched.command]).toEqual(['group', [path]])
  expect(watched.memory!.need).toBeGreaterThan(30_000_000)
  expect(watched.resources.memoryLimit).toBeGreaterThan(watched.memory!.need)
})

test('a recording is advised by the samples of a group', async () => {
  const at = directory()
  const path = `/hutch-test-${process.pid}-recorded`
  const group = await Cgroup.create(path)
  ends.push(() => group.remove({ kill: true }))
  const job = await start(made.program, ['bursts', '600', '20'], { parent: path })
  ends.push(() => job.stop())
  await hutch(['record', '--db', `${at}/history.db`, '--interval', '100ms', '--for', '2s'])
  const { status, stdout } = await hutch(['advise', '--json', '--from', `${at}/history.db`, path])
  const { source, memory } = json(stdout)
  expect([status, source]).toEqual([0, 'recording'])
  expect(memory!.peak).toBeGreaterThan(20 * mib)
  const unknown = await hutch(['advise', '--from', `${at}/history.db`, '/absent'])
  expect([unknown.status, unknown.stderr]).toEqual([125, expect.stringContaining('the recording has no such group')])
})

test('the page is not written through a link that the command left', async () => {
  const at = directory()
  writeFileSync(`${at}/victim`, 'untouched')
  const script = `ln -sf ${at}/victim ${at}/page.html`
  const { status } = await hutch(['advise', '--runs', '1', '--html', `${at}/page.html`, '--', 'sh', '-c', script])
  expect(status).toBe(0)
  expect(readFileSync(`${at}/victim`, 'utf8')).toBe('untouched')
  expect(readFileSync(`${at}/page.html`, 'utf8')).toMatch(/^<!doctype html>/)
  // a link that was there before is replaced, too
  rmSync(`${at}/page.html`)
  symlinkSync(`${at}/victim`, `${at}/page.html`)
  await hutch(['advise', '--runs', '1', '--html', `${at}/page.html`, '--', 'true'])
  expect(readFileSync(`${at}/victim`, 'utf8')).toBe('untouched')
})

test('the page shows the report and charts, offline, and axe finds nothing wrong: light, dark, phone', async (context) => {
  requires(context, 'chromium', 'not a VM')
  const at = directory()
  writeFileSync(`${at}/nodes.json`, '[{"name":"</script><b>small","cpu":2,"memory":"4Gi","price":0.08}]')
  const flags = [
    '--html',
    `${at}/page.html`,
    '--cost',
    'vcpu=0.04,gib=0.005/h',
    '--nodes',
    `${at}/nodes.json`,
    '--replicas',
    '30',
  ]
  await hutch([
    'advise',
    ...flags,
    '--',
    'sh',
    '-c',
    `: '</script><img src=x onerror=alert(1)>'; exec ${made.program} hog 40`,
  ])
  const looks: BrowserContextOptions[] = [
    { colorScheme: 'light' },
    { colorScheme: 'dark' },
    { colorScheme: 'light', viewport: { width: 390, height: 844 } },
  ]
  for (const look of looks) {
    const opened = await browser!.newContext({ viewport: { width: 1000, height: 900 }, offline: true, ...look })
    const page = await opened.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) complaints.push(request.url())
    })
    await page.goto(`file://${at}/page.html`)
    await page.locator('#memory canvas').waitFor()
    expect(await page.locator('#headline').textContent()).toContain('MiB of memory')
    expect(await page.locator('#runs tbody tr').count()).toBeGreaterThanOrEqual(5)
    expect(await page.locator('#machines li').count()).toBeGreaterThan(0)
    expect(await page.locator('main img, main b, main script').count()).toBe(0)
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    await page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'))
    const found = 'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))'
    expect(await page.evaluate(found)).toEqual([])
    expect(complaints).toEqual([])
    await opened.close()
  }
})

test('the terminal has the lines of the report, and charts', async () => {
  const { stdout } = await hutch(['advise', '--', made.program, 'hog', '20'])
  for (const words of [
    /needs 2\d\.\d MiB of memory/,
    /\n {2}limit {8}/,
    /\n {2}how sure {5}5 runs/,
    /killed: out of memory/,
    /█/,
    /run time by CPU limit/,
  ])
    expect(stdout).toMatch(words)
})
