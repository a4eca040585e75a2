// SPDX-License-Identifier: Apache-2.0
// What longer workloads need, as `hutch advise` finds it: CPU pools, servers, runtimes and builds. `npm run test:advise` runs them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Advice } from '../../src/advise/advice.ts'
import { runTrial, type Workload } from '../../src/advise/trial.ts'
import { parseReady } from '../../src/cli/node/ready.ts'
import { availableParallelism } from '../../src/system/machine.ts'
import { compileTimeout } from '../support/compile.ts'
import { requires } from '../support/requires.ts'
import { heapClass } from './heap-class.ts'
import { advise, checkCounts, checkNeed, makeWorkloads, type RunCount, shortWorkloads } from './workloads.ts'

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
  counts.push(await checkNeed({ name, workload: { argv }, advice, above, atOnce }))
  return advice
}

test.for(shortWorkloads)('$name', options, async ({ name, args }) => {
  await check(name, [made.program, ...args(made.file)], 0.1)
})

test('a mapped file whose pages are used again and again, beside shared memory', options, async () => {
  // only one job is charged for the pages of a file
  await check('map', [made.program, 'map', made.file, '30'], 0.1, 1)
})

/** Checks that the CPUs needed are within 10 % of a known number, and that the last run had a limit of them. */
function checkCpus({ cpu, resources, runs }: Advice, known: number): void {
  expect(cpu!.need / known).toBeGreaterThan(0.9)
  expect(cpu!.need / known).toBeLessThan(1.1)
  const { milliLimit } = resources
  expect(runs.at(-1)).toMatchObject({ purpose: 'confirm', outcome: 'passed', ...(milliLimit && { milliLimit }) })
}

test.for([1, 2])('a pool of %i threads needs as many CPUs, within 10 %%', options, async (threads, context) => {
  if (threads > availableParallelism()) requires(context, 'a VM')
  // 5 % slower with 5 % less
  checkCpus(await check(`pool ${threads}`, [made.program, 'pool', String(threads), '800'], 0.1), threads / 1.05)
})

test('a server with bursts needs what a burst needs of a period', options, async () => {
  // with less than 40 ms of each 100 ms, a burst waits for the next period
  checkCpus(await check('bursts', [made.program, 'bursts', '30', '40'], 0.1), 0.4)
})

test('a server of Node under load', options, async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const server = `const kept = Buffer.alloc(60e6, 1); require('http').createServer((_, answer) => answer.end(String(Buffer.alloc(2e4, 2)[5] + kept[5]))).listen(${port}, '127.0.0.1')`
  const load = `${process.execPath} -e "(async () => { for (let i = 0; i < 300; i++) await (await fetch('${url}')).text() })()"`
  const argv = [process.execPath, '-e', server]
  const advice = await advise(argv, '--duration', '60s', '--ready', url, '--load', load)
  const workload: Workload = { argv, server: { duration: 60_000, load, isReady: parseReady(url) } }
  counts.push(await checkNeed({ name: 'node server', workload, advice, above: 0.15, atOnce: 1 }))
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

test('a JVM that keeps 40 MiB of its heap, and makes garbage', options, async (context) => {
  requires(context, 'a JVM')
  writeFileSync(`${made.directory}/Heap.class`, heapClass(40, 8000))
  await check('jvm', ['java', '-Xmx56m', '-XX:+UseSerialGC', '-cp', made.directory, 'Heap'], 0.15)
})

test('the search takes on the mean at most 0.6 of the runs of bisection', () => {
  expect(counts.length).toBeGreaterThanOrEqual(12)
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
