// SPDX-License-Identifier: Apache-2.0
// Time, CPU time and output limits as options.
import { expect, test } from 'vitest'
import { explainProgram } from '../../../src/ops/explain.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import { formatMeta, formatMetaOfFailure } from '../../../src/verdict/isolate-meta.ts'
import type { Outcome } from '../../../src/verdict/outcome.ts'
import type { Result } from '../../../src/verdict/result.ts'
import { end as endOn } from '../ended-job.ts'
import { hybrid, none, parent, plan, rootless, v1, v2 } from '../hosts.ts'

/** Returns the result of a job on v2. */
const end = (options: RunOptions, outcome: Partial<Outcome>, files: Record<string, string> = {}): Result =>
  endOn(v2, options, { voluntary: 7, forced: 2, ...outcome }, files)

const used = (usec: number) => ({ 'cpu.stat': `usage_usec ${usec}\nuser_usec ${usec}\nsystem_usec 0\n` })
const killed = { commandStatus: -1, ownStatus: 9, killed: true, events: [{ at: 1, kind: 'kill' as const }] }

test.each([
  ['a good end', {}, {}, {}, 'OK', 'exit', 0],
  ['another status', {}, { commandStatus: 3 << 8 }, {}, 'RE', 'exit', 3],
  ['a fault', {}, { commandStatus: 11 }, {}, 'SG', 'signal', 139],
  ['wall time', { timeout: 10 }, { ...killed, stopCause: 'timeout' }, {}, 'TLE', 'timeout', 124],
  ['CPU time', { cpuTime: 10 }, { ...killed, stopCause: 'cpu-time' }, used(10_500), 'TLE', 'cpu-time', 124],
  ['an end in the extra time', { cpuTime: 10, extraTime: 10 }, {}, used(10_500), 'TLE', 'cpu-time', 124],
  ['an end in time', { cpuTime: 10, extraTime: 10 }, {}, used(10_000), 'OK', 'exit', 0],
  ['output', { maxOutput: 1 }, { ...killed, stopCause: 'output', overflowed: 'stdout' }, {}, 'OLE', 'output', 137],
  ['output of one that had ended', { maxOutput: 1 }, { stopCause: 'output' }, {}, 'OLE', 'output', 137],
  ['a file too long', { ulimits: { fsize: 1 } }, { commandStatus: 25 }, {}, 'OLE', 'signal', 153],
  ['memory', {}, { commandStatus: 9 }, { 'memory.events': 'oom_kill 1\n' }, 'MLE', 'oom', 137],
  ['memory of a child alone', {}, {}, { 'memory.events': 'oom_kill 1\n' }, 'OK', 'exit', 0],
  ['an abort', {}, { ...killed, stopCause: 'aborted' }, {}, 'internal', 'aborted', 137],
  ['no program', {}, { ownStatus: 125 << 8, commandStatus: -1, execError: 'ENOENT' }, {}, 'internal', 'not-found', 127],
] as [string, RunOptions, Partial<Outcome>, Record<string, string>, string, string, number][])(
  '%s has its word among judges',
  (_, options, outcome, files, word, reason, status) => {
    const result = end(options, outcome, files)
    expect([result.judge, result.reason, result.status]).toEqual([word, reason, status])
  },
)

test('the meta file of a good run, of one over its time, of one out of memory, and of none', () => {
  const files = { ...used(123_400), 'memory.peak': '1048577\n' }
  expect(formatMeta(end({}, { maxRss: 1544 }, files))).toBe(
    'time:0.123\ntime-wall:1.500\nmax-rss:1544\ncsw-voluntary:7\ncsw-forced:2\ncg-mem:1025\nexitcode:0\n',
  )
  expect(formatMeta(end({ cpuTime: 100 }, { ...killed, stopCause: 'cpu-time' }, files))).toBe(
    'time:0.123\ntime-wall:1.500\ncsw-voluntary:7\ncsw-forced:2\ncg-mem:1025\nkilled:1\nstatus:TO\nmessage:Time limit exceeded\n',
  )
  expect(formatMeta(end({}, { commandStatus: 9 }, { ...files, 'memory.events': 'oom_kill 1\n' }))).toContain(
    'cg-oom-killed:1\nexitsig:9\nstatus:SG\nmessage:Caught fatal signal 9\n',
  )
  expect(formatMeta(end({}, { commandStatus: 40 }))).toContain('exitsig:40\n')
  expect(formatMeta(end({}, { commandStatus: 3 << 8 }))).toContain(
    'exitcode:3\nstatus:RE\nmessage:Exited with error status 3\n',
  )
  const tooMuch = 'exitsig:9\nkilled:1\nstatus:SG\nmessage:Output limit exceeded\n'
  for (const outcome of [killed, {}])
    expect(formatMeta(end({ maxOutput: 1 }, { ...outcome, stopCause: 'output' }))).toContain(`csw-forced:2\n${tooMuch}`)
  // late, but not stopped
  expect(formatMeta(end({ cpuTime: 100, extraTime: 100 }, {}, files))).not.toContain('killed')
  expect(formatMetaOfFailure('cannot\n  do: this')).toBe('status:XX\nmessage:cannot\n')
})

test('times, sizes and what they need', () => {
  const parse = (options: RunOptions, frontend: 'cli' | 'library' = 'library') =>
    parseOptions('job', [], options, frontend)
  expect(parse({ cpuTime: '2', extraTime: '0.5', maxOutput: '1M' }, 'cli')).toMatchObject({
    cpuTimeMs: 2000,
    extraTimeMs: 500,
    maxOutput: 2 ** 20,
  })
  expect(
    Object.keys(parse({ cpuTime: 0, maxOutput: 'max' })).filter((key) => /cpuTime|extra|Output/.test(key)),
  ).toEqual([])
  for (const [options, code] of [
    [{ cpuTime: '-1' }, 'OPTION_INVALID'],
    [{ cpuTime: 10, extraTime: 'x' }, 'OPTION_INVALID'],
    [{ extraTime: 1 }, 'OPTION_CONFLICT'],
    [{ maxOutput: '1X' }, 'OPTION_INVALID'],
  ] as const)
    expect(() => parse(options as RunOptions)).toThrow(expect.objectContaining({ code }))
})

const limitOf = (made: ReturnType<typeof plan>) => {
  const program = compilePlan(made)
  expect(explainProgram(program).every(({ words }) => words !== '')).toBe(true)
  const bound = program.inner.find((op) => op.op === 'boundLimit')
  return [program.outer.find((op) => op.op === 'limitCpu'), bound]
}

test('CPU time is counted where the host counts it, and each process is bounded a second above', () => {
  const options = { cpuTime: 1500, extraTime: 600 }
  const name = 'hutch-42-777-4026531836-1'
  const bound = { op: 'boundLimit', resource: 0, soft: 4, hard: 4, origin: 'cpuTime' }
  const op = (file: string) => [{ op: 'limitCpu', limitMs: 1500, extraMs: 600, file, origin: 'cpuTime' }, bound]
  expect(limitOf(plan(v2, options))).toEqual(op(`/cg/${name}/cpu.stat`))
  expect(limitOf(plan(hybrid, options))).toEqual(op(`/cg/unified/${name}/cpu.stat`))
  const counting = { ...v1, v1: { ...v1.v1, cpuacct: { mount: '/cg/cpuacct', own: '/cg/cpuacct' } } }
  expect(limitOf(plan(counting, options))).toEqual(op(`/cg/cpuacct/${name}/cpuacct.usage`))
  const together = { ...v1, v1: { ...v1.v1, cpuacct: v1.v1.cpu! } }
  expect(limitOf(plan(together, { ...options, limits: { cpus: 1 } }))).toEqual(op(`/cg/cpu/${name}/cpuacct.usage`))
  expect(plan(together, { ...options, limits: { cpus: 1 } }).groups.map(({ directory }) => directory)).toEqual([
    `/cg/memory/${name}`,
    `/cg/pids/${name}`,
    `/cg/cpu/${name}`,
  ])
  expect(() => plan(v1, options)).toThrow(expect.objectContaining({ code: 'CGROUP_CONTROLLER_MISSING' }))
  expect(limitOf(plan(none, {}))).toEqual([undefined, undefined])
})

test('without a group there is no limit of CPU time, and that is said', () => {
  expect(() => plan(rootless, { cpuTime: 10 }, { ...parent('/cg'), writable: false })).toThrow(
    /make a group for cpuTime below/,
  )
})
