// SPDX-License-Identifier: Apache-2.0
// Limits are written to the files of the control group, and the kernel enforces them.
import { expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, run, why } from '../../../src/index.ts'

const v2 = () => readHost().layout === 'v2'

test('pids.max refuses the sixth task and the verdict says how often', async () => {
  const result = await run('bash', ['-c', 'for i in 1 2 3 4 5 6; do sleep 1 & done; wait'], { limits: { pids: 5 } })
  expect(result.stderr).toContain('Resource temporarily unavailable')
  expect(result.usage.pidsDenied).toBeGreaterThan(0)
  expect(result.usage.pidsPeak ?? 5).toBe(5)
  expect(Object.fromEntries(result.verdict.evidence)['pids.max']).toContain(`refused ${result.usage.pidsDenied} time`)
  expect(result.events.at(-1)).toMatchObject({ kind: 'pids-denied', count: result.usage.pidsDenied })
})

test('a fork that pids.max of a group above refused is laid at its door, on kernels that count there and on those that do not', async () => {
  await using above = await Cgroup.create(`/hutch-test-${process.pid}-above`, { files: { 'pids.max': 4 } })
  const result = await run('sh', ['-c', 'for i in 1 2 3 4; do sleep 1 & done; wait'], {
    parent: above.path,
    limits: { pids: 20 },
  })
  const { layout, kernel } = readHost()
  const byLevel = layout === 'v2' && (kernel[0] > 6 || kernel[1] >= 11)
  expect(result).toMatchObject({ reason: 'pids', usage: { pidsDenied: byLevel ? 0 : 1 } })
  const path = byLevel ? above.directories[''] : (above.directories.pids ?? above.directories[''])
  expect(result.cause).toMatchObject({
    kind: 'fork-refused',
    limit: { file: 'pids.max', value: 4, group: path, level: 'ancestor' },
    end: { status: 2 },
  })
  expect(result.verdict.remedy).toContain(path)
  expect(why(result).causes[0]).toMatchObject({ cause: 'pids', whose: 'ancestor' })
})

test('four tasks fit into pids.max 5 beside PID 1', async () => {
  const result = await run('bash', ['-c', 'for i in 1 2 3; do sleep 0.1 & done; wait'], { limits: { pids: 5 } })
  expect(result).toMatchObject({ exitCode: 0, reason: 'exit', usage: { pidsDenied: 0 } })
})

test('cpu.max throttles: a tenth of a CPU is a tenth of the time', async () => {
  // so little that it is used up on a busy machine, too
  const result = await run('bash', ['-c', 'while :; do :; done'], { limits: { cpus: 0.1 }, timeout: 2000 })
  expect(result).toMatchObject({ reason: 'timeout', status: 124, limits: { 'cpu.max': '10000 100000' } })
  expect(result.usage.throttledPeriods).toBeGreaterThan(0)
  expect(result.usage.cpuUsec! / (result.durationMs * 1000)).toBeLessThan(0.3)
  expect(result.verdict.evidence.find(([label]) => label === 'cpu.max')?.[1]).toMatch(/throttled in \d+ % of periods/)
})

test.each([
  ['cpu.weight', { cpuWeight: 50 }, 'cpu', v2() ? ['cpu.weight', '50'] : ['cpu.shares', '421']],
  ['cpuset.cpus', { cpusetCpus: '0' }, 'cpuset', ['cpuset.cpus', '0']],
  ['a raw kernel file', { 'pids.max': 7 }, 'pids', ['pids.max', '7']],
  [
    'swap',
    { memory: '64M', swap: '32M' },
    'memory',
    v2() ? ['memory.swap.max', '33554432'] : ['memory.memsw.limit_in_bytes', '100663296'],
  ],
] as const)('%s is set in the group', async (_, limits, controller, [file, value]) => {
  // the host's mount of the hierarchy is still there in the default isolation; the group's name comes from outside
  const { own } = v2() ? readHost().unified! : readHost().v1[controller]!
  const result = await run('sh', ['-c', `cat ${own}/hutch-${process.pid}-*/${file}`], { limits })
  expect({ stderr: result.stderr, stdout: result.stdout }).toEqual({ stderr: '', stdout: `${value}\n` })
})

test.each([
  ['pids.max', '-5', 'negative'],
  ['cpu.weight', '20000', 'above 10000'],
  ['memory.max', '4X', 'not a size'],
] as const)(
  'a value that %s does not take is refused with what it takes, and nothing runs',
  async (file, value, why) => {
    await expect(run('true', [], { limits: { [file]: value } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      value,
      message: expect.stringContaining(`for limits['${file}']: ${why}`),
    })
  },
)

test.each([
  ['memory.nonsense', '1', 'ENOENT', 'has no such file'],
  ['cpuset.cpus', '4000', 'ERANGE', 'this machine has the CPUs 0'],
] as const)(
  'a value that the kernel refuses for %s is explained, and nothing runs',
  async (file, value, errno, why) => {
    await expect(run('true', [], { limits: { [file]: value } })).rejects.toMatchObject({
      code: 'CGROUP_LIMIT_REFUSED',
      errno,
      path: file,
      value,
      message: expect.stringContaining(why),
    })
  },
)

test('a controller that the host lacks is named', async () => {
  await expect(run('true', [], { limits: { 'nonsense.max': 1 } })).rejects.toMatchObject({
    code: 'CGROUP_CONTROLLER_MISSING',
  })
})
