// SPDX-License-Identifier: Apache-2.0
// What a job with a root of its own sees at /sys/fs/cgroup: its own limits, read-only.
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { createPool, type Limits, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
const v2 = readHost().layout === 'v2'
const memory = v2 ? '/sys/fs/cgroup/memory.max' : '/sys/fs/cgroup/memory/memory.limit_in_bytes'
const limit = String(96 << 20)
const sandbox = { sandbox: true as const, limits: { memory: '96M' } }

beforeEach((context) => requires(context, 'root', 'busybox'))
afterAll(remove)

test('the limit of a sandbox, a root, a pool and a compiled file', async () => {
  const look = ['-c', `cat ${memory}`]
  expect((await run('sh', look, sandbox)).stdout).toBe(`${limit}\n`)
  expect((await run('sh', look, { rootfs: image, limits: { memory: '96M' } })).stdout).toBe(`${limit}\n`)
  await using pool = await createPool({ size: 1, plan: sandbox })
  expect((await pool.run(['sh', ...look])).stdout).toBe(`${limit}\n`)
  const file = `${work}/job`
  await hutch(['compile', '--output', file, '--sandbox', '--memory', '96M', '--', 'sh', ...look])
  expect(await collect(file, [])).toMatchObject({ stdout: `${limit}\n`, stderr: '', status: 0 })
})

test('Node sizes itself by the limit', async () => {
  const script = 'console.log(process.constrainedMemory())'
  const result = await run(process.execPath, ['-e', script], {
    ...sandbox,
    mounts: [{ volume: `${process.execPath}:${process.execPath}:ro` }],
  })
  expect(result.stdout).toBe(`${limit}\n`)
})

/** What the JVM wants before it looks at a limit at all, by /proc/self/mountinfo: cgroup2 alone, or these four v1 controllers. */
const asTheJvm = `const { readFileSync } = require('fs')
const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').filter((line) => line.includes(' - cgroup '))
const controllers = mounts.flatMap((line) => line.split(' ').at(-1).split(','))
const missing = ['cpu', 'cpuacct', 'cpuset', 'memory'].filter((name) => !controllers.includes(name))
console.log(mounts.length === 0 ? 'v2' : missing.join(' ') || 'v1')`

test('the JVM finds all the controllers that it wants, with a CPU limit and without', async () => {
  const mounts = [{ volume: `${process.execPath}:${process.execPath}:ro` }]
  const see = async (limits: Limits) =>
    (await run(process.execPath, ['-e', asTheJvm], { ...sandbox, mounts, limits })).stdout
  expect(await see({ memory: '96M', cpus: 1 })).toBe(v2 ? 'v2\n' : 'v1\n')
  expect(await see({ memory: '96M', cpus: 'max' })).toBe(v2 ? 'v2\n' : 'v1\n')
})

test('nothing can be written there, and nothing of the host is seen', async () => {
  const script = `for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 0 > $f && echo moved; done 2>/dev/null
    echo 1G > ${memory} 2>/dev/null && echo raised; mkdir /sys/fs/cgroup/x 2>/dev/null && echo made
    grep ' cgroup' /proc/self/mountinfo | grep -v -e ' / /sys/fs/cgroup' -e ' /cpu[a-z_]*[.][a-z_]* /sys/fs/cgroup/cpu[a-z]*/cpu' ; find /sys/fs/cgroup -mindepth 2 -type d -name '*-*'; echo end`
  expect((await run('sh', ['-c', script], { rootfs: image, limits: { memory: '96M' } })).stdout).toBe('end\n')
  // the control: the same writes succeed outside of a root of its own
  const control = await hutch([
    'run',
    '--quiet',
    '--isolate',
    'mount',
    '--memory',
    '96M',
    '--',
    'sh',
    '-c',
    'find /sys/fs/cgroup -name memory.max -o -name memory.limit_in_bytes | while read -r f; do test -w $f && echo writable && break; done',
  ])
  expect(control.stdout).toBe('writable\n')
})

test('without a cgroup namespace, without a group, or with a mount of the caller there, it is left alone', async () => {
  const mounts = "grep -c ' /sys/fs/cgroup' /proc/self/mountinfo"
  const seen = async (options: object) => (await run('sh', ['-c', mounts], { rootfs: image, ...options })).stdout
  expect(await seen({ isolate: ['pid', 'mount'] })).toBe('0\n')
  expect(await seen({ mounts: [{ tmpfs: '/sys/fs/cgroup' }] })).toBe('1\n')
})
