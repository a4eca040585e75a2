// SPDX-License-Identifier: Apache-2.0
// Properties of processes and mounts whose edges a container shows: created working directories, exact limits, scores that are refused,
// mounts that receive those of the host, and mounts with mapped ids.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { containers } from './containers.ts'

beforeEach((context) => requires(context, 'root', 'busybox'))

const { path, oci, bundle, remove } = containers()
afterAll(remove)

/** Runs a container, and returns what its program prints. */
function printed(
  name: string,
  program: string,
  changes: { [path: string]: unknown },
  text?: [from: string, to: string],
) {
  const { id, directory } = bundle(name, { 'process.args': ['sh', '-c', program], ...changes }, text)
  const { status, stdout, stderr } = oci('run', '--bundle', directory, id)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return { lines: stdout.trimEnd().split(/ *\n/), directory }
}

test('a missing working directory is created before the root becomes read-only', () => {
  const { lines, directory } = printed('cwd', 'pwd; touch x 2>&1 || true', {
    'process.cwd': '/data/new/one',
    'root.readonly': true,
  })
  expect(lines).toEqual(['/data/new/one', 'touch: x: Read-only file system'])
  expect(statSync(`${directory}/image/data/new/one`).mode & 0o7777).toBe(0o755)
})

test('limits keep all 64 bits', () => {
  const { lines } = printed(
    'limits',
    'grep -E "core|address" /proc/self/limits | tr -s " "',
    {
      'process.rlimits': [
        { type: 'RLIMIT_AS', soft: 'NEAR', hard: 'NEAR' },
        { type: 'RLIMIT_CORE', soft: 5, hard: 'NEAR' },
      ],
    },
    ['"NEAR"', '9223372036854775807'],
  )
  expect(lines).toEqual([
    'Max core file size 5 9223372036854775807 bytes',
    'Max address space 9223372036854775807 9223372036854775807 bytes',
  ])
})

test('a score that is lower than allowed is left', () => {
  const own = readFileSync('/proc/self/oom_score_adj', 'latin1').trim()
  const { lines } = printed('score', 'cat /proc/self/oom_score_adj', { 'process.oomScoreAdj': -999 })
  // with CAP_SYS_RESOURCE it is set
  const [, capabilities] = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))!
  expect(lines).toEqual([BigInt(`0x${capabilities}`) & (1n << 24n) ? '-999' : own])
})

/** Bit 24 of the effective set: CAP_SYS_RESOURCE, which this host's root may lack. */
const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`)
const mayLower = (capabilities >> 24n) & 1n

test.each(mayLower ? ['a user namespace'] : [])('with CAP_SYS_RESOURCE, %s can get a lower score', () => {
  const map = [{ containerID: 0, hostID: 0, size: 1000 }]
  const { lines } = printed('lower', 'cat /proc/self/oom_score_adj', {
    'process.oomScoreAdj': -998,
    'linux.namespaces': ['mount', 'pid', 'user'].map((type) => ({ type })),
    'linux.uidMappings': map,
    'linux.gidMappings': map,
  })
  expect(lines).toEqual(['-998'])
})

test('a bind mount below a slave root receives mounts of the host', () => {
  const { id, directory } = bundle('slave', {
    'process.args': ['cat', '/proc/self/mountinfo'],
    'linux.rootfsPropagation': 'rslave',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data', type: 'bind', source: path, options: ['bind'] },
      { destination: '/tmp', type: 'bind', source: path, options: ['bind', 'private'] },
    ],
  })
  // in a mount namespace of its own, whose mounts are shared
  const script = 'mount --make-rshared / && exec "$@"'
  const words = ['-m', 'sh', '-c', script, 'sh', ...oci.words('run', '--bundle', directory, id)]
  const text = execFileSync('unshare', words, { encoding: 'utf8' })
  const fieldsOf = (target: string) => new RegExp(`^.* ${target} \\S+ (.*)- `, 'm').exec(text)![1]
  expect(fieldsOf('/data')).toMatch(/^master:\d+ $/)
  expect(fieldsOf('/tmp')).toBe('')
})

test('idmap maps the ids of a mount, and ridmap also those of the mounts below', () => {
  const source = `${path}/tree`
  mkdirSync(source)
  execFileSync('mount', ['-t', 'tmpfs', 'tree', source])
  try {
    mkdirSync(`${source}/below`)
    execFileSync('mount', ['-t', 'tmpfs', 'below', `${source}/below`])
    const map = [{ containerID: 0, hostID: 100_000, size: 1000 }]
    const owners = (option: string) =>
      printed(option, 'stat -c %u /data /data/below', {
        'linux.namespaces': ['mount', 'pid', 'user'].map((type) => ({ type })),
        'linux.uidMappings': map,
        'linux.gidMappings': map,
        mounts: [
          { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
          { destination: '/data', type: 'bind', source, options: ['rbind', option] },
        ],
      }).lines
    expect(owners('idmap')).toEqual(['0', '65534'])
    expect(owners('ridmap')).toEqual(['0', '0'])
    const own = [{ containerID: 0, hostID: 7, size: 1 }]
    const { lines } = printed('own-maps', 'stat -c "%u %g" /data', {
      mounts: [{ destination: '/data', type: 'bind', source, options: ['bind'], uidMappings: own, gidMappings: own }],
    })
    expect(lines).toEqual(['7 7'])
  } finally {
    execFileSync('umount', ['-R', source])
  }
})

test('a process of exec runs on the processors of execCPUAffinity', () => {
  const { id, directory } = bundle('affinity', {
    'process.args': ['sleep', '600'],
    'process.execCPUAffinity': { initial: '0', final: '0' },
  })
  expect(oci('run', '--detach', '--bundle', directory, id).status).toBe(0)
  expect(oci('exec', id, 'grep', 'Cpus_allowed_list', '/proc/self/status').stdout).toBe('Cpus_allowed_list:\t0\n')
})

const dev = { destination: '/dev', type: 'tmpfs', source: 'tmpfs' }

test.each<[string, { [path: string]: unknown }, string]>([
  [
    'a device file',
    { mounts: [dev], 'linux.devices': [{ type: 'c', path: '/new/x', major: 1, minor: 3 }] },
    'linux.devices[0]',
  ],
  ['a mount', { mounts: [dev, { destination: '/new/x', type: 'tmpfs', source: 'tmpfs' }] }, 'mounts[1]'],
])('%s that a read-only root refuses names its property, and no option of hutch run', (_, changes, property) => {
  const { id, directory } = bundle(`refused-${property.replace(/\W/g, '-')}`, changes)
  const image = `${directory}/image`
  mkdirSync(`${image}/dev`, { recursive: true })
  const script = `mount --bind ${image} ${image} && mount -o remount,bind,ro ${image} && exec "$@"`
  const words = oci.words('run', '--bundle', directory, id)
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...words], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([1, expect.stringContaining(`requested by ${property}; remedy: make ${image}/new`)])
  expect(stderr).not.toMatch(/ --\w/)
})
