// SPDX-License-Identifier: Apache-2.0
// Documents that real callers have sent: podman, buildah, docker, containerd, CRI, and those that `runc spec` writes.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { toExecSpec } from '../../src/oci/config/exec-spec.ts'
import { configShape, readConfig, readProcess, readResources } from '../../src/oci/config/read-config.ts'
import type { Shape } from '../../src/oci/config/shape.ts'
import { toSpec } from '../../src/oci/config/to-spec.ts'
import { makeForeign } from '../../src/seccomp/make-filter.ts'

const folder = 'test/oci/configs'
const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8')
const having = (word: string) => names.filter((name) => name.includes(`-${word}-`))

const facts = {
  id: 'a',
  bundle: '/b',
  kernel: [6, 1] as const,
  hasAppArmor: true,
  hasSelinux: false,
  hasResctrl: false,
  groups: [],
}

const specOf = (name: string) => {
  const config = readConfig(read(name))
  const streams = { start: 3, kept: 0, ...(config.process?.terminal && { console: 4 }) }
  return toSpec(config, { ...facts, streams })
}

/** The properties of a document that a shape does not have. */
function unknownProperties(value: unknown, shape: Shape<unknown>, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => {
    const next = shape.properties ? shape.properties[key] : shape.each
    return next ? unknownProperties(part, next, `${at}.${key}`) : [`${at}.${key}`]
  })
}

test('there are documents of each caller', () => {
  expect([...new Set(names.map((name) => name.split('-')[0]))]).toEqual(
    expect.arrayContaining(['buildah', 'cri', 'ctr', 'docker', 'podman', 'runc']),
  )
})

describe('config.json', () => {
  test.each(having('config'))(
    '%s gives a Spec, without a warning except about useless ambient capabilities',
    (name) => {
      const { spec, warnings } = specOf(name)
      expect(warnings.filter((warning) => !/ambient: ignoring/.test(warning))).toEqual([])
      expect(spec.root?.mounts.length).toBeGreaterThan(0)
      expect(unknownProperties(JSON.parse(read(name)), configShape)).toEqual([])
    },
  )

  test('the filter of each caller can be compiled', () => {
    const filters = having('config').flatMap((name) => {
      const { seccomp } = specOf(name).spec
      if (!seccomp || !('profile' in seccomp)) return []
      return [makeForeign({ value: seccomp.profile }, 'linux.seccomp', 'x86_64')({ kernel: [6, 1], capabilities: [] })]
    })
    expect(filters.length).toBeGreaterThan(10)
    for (const { words } of filters) expect(words.length).toBeGreaterThan(20)
  })

  test('the document of runc spec', () => {
    const { spec } = specOf('runc-config-1.json')
    expect(spec).toMatchObject({
      command: 'sh',
      hostname: 'runc',
      isolate: ['pid', 'net', 'ipc', 'uts', 'mount'],
      privileges: { newPrivileges: false, ulimits: [{ name: 'nofile', soft: 1024, hard: 1024 }] },
    })
    expect(spec.root?.readOnlyLast).toBe(true)
    expect(spec.root?.mounts.map(({ type, target }) => `${type} ${target}`)).toEqual([
      'proc /proc',
      'tmpfs /dev',
      'devpts /dev/pts',
      'tmpfs /dev/shm',
      'mqueue /dev/mqueue',
      'sysfs /sys',
      'cgroup /sys/fs/cgroup',
    ])
  })
})

test.each(having('process'))('%s gives the Spec of a further process', (name) => {
  const process = readProcess(read(name))
  const config = readConfig(read('runc-config-1.json'))
  const streams = { kept: 0, ...(process.terminal && { console: 3 }) }
  const { spec, warnings } = toExecSpec(process, config, { ...facts, pid: 9, groups: [], streams })
  expect(warnings).toEqual([])
  expect(spec.joins.map(({ path }) => path)).toContain('/proc/9/ns/mnt')
})

test.each(having('resources'))('%s is read', (name) => {
  expect(Object.keys(readResources(read(name)))).not.toEqual([])
})
