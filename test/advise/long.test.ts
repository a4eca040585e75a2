// SPDX-License-Identifier: Apache-2.0
// What longer workloads need, as `hutch advise` finds it: CPU pools, servers, runtimes and builds. `npm run test:advise` runs them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runTrial, type Workload } from '../../src/advise/trial.ts'
import { parseReady } from '../../src/cli/node/ready.ts'
import { availableParallelism } from '../../src/system/machine.ts'
import { compileTimeout } from '../support/compile.ts'
import { requires } from '../support/requires.ts'
import { advise, checkAdvice, checkCounts, makeWorkloads, type RunCount } from './workloads.ts'

beforeEach((context) => requires(context, 'hutch for Node', 'root'))

let made: ReturnType<typeof makeWorkloads>
const counts: RunCount[] = []

beforeAll(() => {
  made = makeWorkloads()
}, compileTimeout)
afterAll(() => made.remove())

const options = { timeout: 900_000 }

async function check(name: string, argv: string[], above: number, atOnce = 4) {
  const advice = await advise(argv)
  expect(advice.sure.confirmed).toBe(true)
  counts.push(await checkAdvice(name, { argv }, advice, above, atOnce))
  return advice
}

test.for([1, 2])('a pool of %i threads needs as many CPUs, within 10 %%', options, async (threads, context) => {
  if (threads > availableParallelism()) requires(context, 'a VM')
  const advice = await check(`pool ${threads}`, [made.program, 'pool', String(threads), '800'], 0.1)
  // 5 % slower with 5 % less
  expect(advice.cpu!.need / (threads / 1.05)).toBeGreaterThan(0.9)
  expect(advice.cpu!.need / (threads / 1.05)).toBeLessThan(1.1)
})

test('a server with bursts', options, async () => {
  const { cpu } = await check('bursts', [made.program, 'bursts', '12', '40'], 0.1)
  // 30 ms of each 100 ms, and the time to touch 40 MiB
  expect(cpu!.mean).toBeGreaterThan(0.27)
  expect(cpu!.mean).toBeLessThan(0.55)
})

test('a server of Node under load', options, async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const server = `const kept = Buffer.alloc(60e6, 1); require('http').createServer((_, answer) => answer.end(String(Buffer.alloc(2e4, 2)[5] + kept[5]))).listen(${port}, '127.0.0.1')`
  const load = `${process.execPath} -e "(async () => { for (let i = 0; i < 300; i++) await (await fetch('${url}')).text() })()"`
  const argv = [process.execPath, '-e', server]
  const advice = await advise(argv, '--duration', '60s', '--ready', url, '--load', load)
  const workload: Workload = { argv, server: { duration: 60_000, load, isReady: parseReady(url) } }
  counts.push(await checkAdvice('node server', workload, advice, 0.15, 1))
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

test('Python with large arrays', options, async (context) => {
  requires(context, 'python3')
  const program = `${made.directory}/arrays.py`
  writeFileSync(
    program,
    "import array\nkept = [array.array('d', [float(i)]) * 1_000_000 for i in range(10)]\nprint(sum(some[0] for some in kept))\n",
  )
  await check('python', ['python3', program], 0.1)
})

test('make with four jobs', options, async (context) => {
  requires(context, '/usr/bin/make', '/usr/bin/gcc')
  const directory = `${made.directory}/make`
  mkdirSync(directory)
  const names = Array.from({ length: 4 }, (_, i) => `part${i}`)
  const numbers = Array.from({ length: 60_000 }, (_, i) => i).join(',')
  for (const name of names) writeFileSync(`${directory}/${name}.c`, `int ${name}[] = { ${numbers} };\n`)
  writeFileSync(
    `${directory}/Makefile`,
    `all: ${names.map((name) => `${name}.o`).join(' ')}\n%.o: %.c\n\tgcc -c -o $@ $<\n`,
  )
  await check('make', ['make', '--always-make', '--silent', '-j4', '-C', directory], 0.15, 1)
})

test('a JVM', options, async (context) => {
  requires(context, 'a JVM')
  // a fixed heap, so that the limit of memory does not change how the JVM works
  await check('jvm', ['java', '-Xmx64m', '-Xms64m', '-XX:+AlwaysPreTouch', '-XX:+UseSerialGC', '--version'], 0.15)
})

test('the search takes on the mean at most 0.6 of the runs of bisection', () => {
  checkCounts(counts)
})

test('a run is the same with limits that are never reached', options, async () => {
  const signal = new AbortController().signal
  const limits = { memory: 512 << 20, pids: 100, cpus: availableParallelism() }
  const trial = await runTrial({ argv: [made.program, 'hog', '20'] }, 'probe', limits, {
    signal,
    showsErrors: false,
    swaps: false,
  })
  expect([trial.completed, trial.oomKills, trial.limitHits]).toEqual([true, 0, 0])
})
