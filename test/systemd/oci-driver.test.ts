// SPDX-License-Identifier: Apache-2.0
// Containers of hutch oci --systemd-cgroup: only create and run get the option; later commands find the unit in the container's state.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { isGroup, readGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { containers } from '../oci/containers.ts'
import { requires } from '../support/requires.ts'

beforeEach((context) => requires(context, 'systemd', 'root', 'v2', 'busybox'))

const { oci, bundle, remove } = containers()
afterAll(remove)

const MiB = 2 ** 20
const name = (id: string) => `hutchtest-${id}.scope`
const groupOf = (id: string) => `${readHost().unified!.mount}/system.slice/${name(id)}`
const show = (id: string, property: string) =>
  spawnSync('systemctl', ['show', name(id), '-p', property, '--value'], { encoding: 'utf8' }).stdout.trim()

/** A container in a scope of its own below system.slice. */
function inScope(name: string, changes: { [path: string]: unknown }) {
  const id = `hutch-${process.pid}-${name}`
  return bundle(name, {
    'linux.cgroupsPath': `system.slice:hutchtest:${id}`,
    'linux.resources': { memory: { limit: 64 * MiB }, pids: { limit: 20 } },
    'process.args': ['sleep', '600'],
    ...changes,
  })
}

const isGone = (id: string) => ({ group: isGroup(groupOf(id)), unit: show(id, 'LoadState') })
const gone = { group: false, unit: 'not-found' }

test('exec, update, pause, resume, kill and delete find the unit', () => {
  const { id, directory } = inScope('life', {})
  const ends = [
    oci('--systemd-cgroup', 'create', '--bundle', directory, id),
    oci('start', id),
    oci('update', '--memory', String(128 * MiB), '--pids-limit', '30', id),
    oci('pause', id),
    oci('resume', id),
  ]
  expect(ends.map(({ status, stderr }) => [status, stderr])).toEqual(ends.map(() => [0, '']))
  const { pid } = JSON.parse(oci('state', id).stdout)
  expect(readFileSync(`/proc/${pid}/cgroup`, 'latin1')).toBe(`0::/system.slice/${name(id)}\n`)
  expect([readGroupFile(groupOf(id), 'memory.max'), readGroupFile(groupOf(id), 'pids.max')]).toEqual([
    String(128 * MiB),
    '30',
  ])
  expect([show(id, 'MemoryMax'), show(id, 'TasksMax')]).toEqual([String(128 * MiB), '30'])
  expect(oci('exec', id, 'cat', '/proc/self/cgroup').stdout).toBe(`0::/system.slice/${name(id)}\n`)
  expect(oci('delete', id).stderr).toContain('is not stopped: running')
  expect(oci('kill', id, 'KILL').status).toBe(0)
  expect(oci('delete', '--force', id).status).toBe(0)
  expect(isGone(id)).toEqual(gone)
})

test('a run leaves no unit, and neither does one that fails', () => {
  const { id, directory } = inScope('run', { 'process.args': ['cat', '/proc/self/cgroup'] })
  expect(oci('--systemd-cgroup', 'run', '--bundle', directory, id).stdout).toBe(`0::/system.slice/${name(id)}\n`)
  expect(isGone(id)).toEqual(gone)
  const missing = inScope('missing', { 'process.args': ['/missing'] })
  expect(oci('--systemd-cgroup', 'run', '--bundle', missing.directory, missing.id).status).toBe(1)
  expect(isGone(missing.id)).toEqual(gone)
})

test('delete --force removes the unit of a container whose creation was killed', () => {
  const { id, directory } = inScope('half', {
    'hooks.createRuntime': [{ path: '/bin/sh', args: ['sh', '-c', 'kill -9 $PPID'] }],
  })
  expect(oci('--systemd-cgroup', 'create', '--bundle', directory, id).status).toBe(null)
  expect(isGroup(groupOf(id))).toBe(true)
  expect(oci('delete', '--force', id)).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(isGone(id)).toEqual(gone)
})
