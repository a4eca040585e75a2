// SPDX-License-Identifier: Apache-2.0
// Remedies of limits, applied as they are written: each makes the job pass, or measures the value that does.
// Runs alone: it measures CPU time that a group gets.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Cgroup, type Result, type RunOptions, run, why } from '../../../src/index.ts'
import { limitForPeak, sizeText } from '../../../src/verdict/memory-need.ts'
import { fittingHeap } from '../../../src/verdict/node-heap.ts'
import { type Need, requires } from '../../support/requires.ts'
import { sampled } from '../../support/sample.ts'

const MiB = 2 ** 20

/** What a program in C needs to be compiled: cc1, run by cc, run by make. */
const make = `cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT && awk 'BEGIN { for (i = 0; i < 6000; i++) printf "int f%d(int a) { return a * %d + a; }\\n", i, i }' >a.c && cp a.c b.c && printf 'all: a.o b.o\\n' >Makefile && make -s -j2 CFLAGS=-O0`

const jobs: [name: string, needs: Need[], command: string[], options?: RunOptions][] = [
  ['python, one block', ['python3'], ['python3', '-c', 'b = bytearray(90 << 20)']],
  ['python, a list that grows', ['python3'], ['python3', '-c', 'l = [str(i) for i in range(1_500_000)]']],
  ['perl', ['/usr/bin/perl'], ['perl', '-e', 'my @a = map { "x" x 1048576 } 1 .. 90;']],
  ['node, a buffer', [], ['node', '-e', 'Buffer.alloc(90 * 1024 * 1024, 1)']],
  [
    'a file in a tmpfs',
    [],
    ['sh', '-c', 'head -c 90M /dev/zero >/mnt/x'],
    { sandbox: true, mounts: [{ tmpfs: '/mnt' }] },
  ],
  [
    'a pipeline of a shell',
    [],
    ['sh', '-c', 'set -e; dd if=/dev/zero bs=90M count=1 2>/dev/null | wc -c | grep -q 94371840'],
  ],
  ['make -j with cc1', ['/usr/bin/make', '/usr/bin/cc'], ['sh', '-c', make]],
]

function failed({ cause, exitCode }: Result): boolean {
  return cause.kind === 'oom' || exitCode !== 0
}

test.for(sampled(jobs, true))(
  '%s: the measured value is enough, and the limit before was not',
  async ([name, needs, [command = '', ...args], options], context) => {
    requires(context, ...needs)
    const below = name.startsWith('make') ? 20 : 40
    const under = (memory: string) => run(command, args, { ...options, limits: { memory, swap: 0 } } as RunOptions)
    // the control
    const first = await under(`${below}M`)
    expect(failed(first), name).toBe(true)
    expect([first.cause.kind, first.cause.sideEvents[0]?.kind]).toContain('oom')
    const remedy = first.cause.remedies.find(({ measure }) => measure)
    expect(remedy).toMatchObject({ option: { name: 'limits.memory' } })
    const measured = await under(remedy!.option!.value!)
    expect(measured, name).toMatchObject({ exitCode: 0, cause: { kind: 'exited', sideEvents: [] } })
    const peak = measured.usage.memoryPeak!
    expect(peak).toBeGreaterThan(below * MiB)
    const enough = await under(sizeText(limitForPeak(peak)))
    expect(enough, name).toMatchObject({ exitCode: 0, cause: { kind: 'exited', sideEvents: [] } })
    const { memoryUse, victims } = first.cause
    // the kernel's log, for those who may read it
    if (memoryUse && name === 'a file in a tmpfs') expect(memoryUse.shmem).toBeGreaterThan(30 * MiB)
    if (memoryUse && name === 'perl') expect(memoryUse.anon).toBeGreaterThan(30 * MiB)
    if (victims && name === 'python, one block') expect(victims[0]!.virtual).toBeGreaterThan(90 * MiB)
  },
)

test('a program that grows without bound ends at what the groups above allow, and then is told as such', async () => {
  await using group = await Cgroup.create(`/hutch-test-${process.pid}-measure`, { files: { 'memory.max': '160M' } })
  const under = (memory: string) =>
    run('tail', ['/dev/zero'], { parent: group.path, limits: { memory, swap: 0 } } as RunOptions)
  const [remedy] = (await under('40M')).cause.remedies
  expect(remedy).toMatchObject({ option: { name: 'limits.memory', value: '144M' }, measure: true })
  const { cause } = await under(remedy!.option!.value!)
  expect(cause).toMatchObject({ kind: 'oom', limit: { value: 144 * MiB, level: 'own' } })
  expect(cause.remedies[0]).toEqual({ reason: expect.stringContaining('without bound') })
})

const churn = join(import.meta.dirname, 'churn.cjs')

test.each(sampled([75, 100, 112, 150, 200, 300, 1024], true))(
  'the heap that Node is advised below %d MiB fits',
  async (limit) => {
    const limits = { memory: `${limit}M`, swap: 0 } as const
    // the control: a heap that is as large as the limit
    const [leak, large] = ['a = []; for (;;) a.push(new Array(131072).fill(0.5))', '--max-old-space-size=4000']
    const first = await run('sh', ['-c', `node -e '${leak}'; exit $?`], { limits, env: { NODE_OPTIONS: large } })
    expect(first.cause.kind).toBe('oom')
    if (!first.cause.victims) return
    const [remedy] = first.cause.remedies
    const heap = fittingHeap(limit * MiB)! / MiB
    expect(remedy?.option).toEqual({ name: 'env', value: `NODE_OPTIONS=${large} --max-old-space-size=${heap}` })
    const NODE_OPTIONS = remedy!.option!.value!.slice('NODE_OPTIONS='.length)
    const result = await run('node', [churn, String(Math.floor(heap * 0.6))], { limits, env: { NODE_OPTIONS } })
    expect(result).toMatchObject({ exitCode: 0, stdout: 'done\n', usage: { oomKills: 0 } })
    // a leak then ends by Node's own message, which is not the kernel's doing
    if (limit > 200) return
    const leaky = await run('node', ['-e', leak], { limits, env: { NODE_OPTIONS } })
    expect([leaky.signal, leaky.usage.oomKills]).toEqual(['SIGABRT', 0])
  },
)

test('Node is not advised when another program below it was killed, and is told that a limit is too small', async () => {
  const eat = `require('child_process').spawnSync('tail', ['/dev/zero'])`
  const { cause, verdict } = await run('node', ['-e', `${eat}; process.exit(1)`], {
    limits: { memory: '80M', swap: 0 },
  })
  if (cause.victims?.length !== 1) return
  expect(cause.victims[0]!.name).toBe('tail')
  expect(verdict.remedy).not.toContain('NODE_OPTIONS')
  const small = await run('node', ['-e', 'Buffer.alloc(9e7, 1)'], { limits: { memory: '60M', swap: 0 } })
  expect(small.verdict.remedy).toContain('too small for Node')
})

test('a program that works in bursts, below its CPU limit on average, is cured by quota that it saves', async (context) => {
  requires(context, '/usr/bin/perl')
  // 40 ms of work, in 2 or 3 periods of 100 ms with 30 ms each, then 250 ms of sleep
  const bursts =
    'sub cpu { my ($u, $s) = times; $u + $s } for (1 .. 10) { my $t = cpu; 1 while cpu() - $t < 0.04; select undef, undef, undef, 0.25 }'
  const throttled = async (limits: object) => {
    const result = await run('perl', ['-e', bursts], { limits: { cpus: 0.3, ...limits } } as RunOptions)
    return { result, times: result.usage.throttledPeriods! }
  }
  const { result, times } = await throttled({})
  expect(times).toBeGreaterThan(2)
  const [found] = why(result).causes.filter(({ kind }) => kind === 'throttled')
  expect(found!.remedy).toContain('cpu.max.burst=30000')
  expect(Number(/--cpus ([\d.]+)/.exec(found!.remedy!)![1])).toBeGreaterThan(0.3)
  expect((await throttled({ 'cpu.max.burst': '30000' })).times).toBeLessThan(times)
})
