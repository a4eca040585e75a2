// SPDX-License-Identifier: Apache-2.0
// Each front end's remedies name only options that it has, and none tells root to be root.
import { afterEach, expect, test, vi } from 'vitest'
import { bwrapOptions } from '../../../src/dropin/bubblewrap/option-table.ts'
import { fail } from '../../../src/errors/errors.ts'
import { enterFrontDoor, type FrontDoor, optionFor } from '../../../src/errors/front-door.ts'
import type { Op } from '../../../src/ops/ops.ts'
import { stepParts } from '../../../src/ops/wire.ts'
import { optionRows } from '../../../src/options/table.ts'
import { explainAlone } from '../../../src/run/op-errors.ts'
import { hutch } from '../../cli/hutch.ts'

afterEach(() => {
  enterFrontDoor('library')
  vi.restoreAllMocks()
})

const optionsIn = (text: string) => text.match(/--[a-z][\w-]*/g) ?? []
/** Options of other programs, in commands that a remedy gives. */
const ofOthers = /\b(hutch run|docker|podman|systemd-run|mount|usermod|apt-get|namei) [^;,)]*/g

const known: { [door in FrontDoor]: () => Promise<readonly string[]> } = {
  library: async () => [],
  cli: async () => optionRows.map(({ flag }) => `--${flag}`),
  bwrap: async () => optionsIn((await hutch(['bwrap', '--help'])).stdout),
  unshare: async () => optionsIn((await hutch(['unshare', '--help'])).stdout),
  nsenter: async () => optionsIn((await hutch(['nsenter', '--help'])).stdout),
  'cgroup-tools': async () => [],
}

const base = { origin: 'x' }
const steps = [
  { op: 'spawn', flags: 0x2000_0000, group: '', session: 0, ...base },
  { op: 'unshare', flags: 0x2000_0000, ...base },
  { op: 'joinNamespaces', paths: ['/proc/1/ns/net'], kinds: [0x4000_0000], ...base },
  { op: 'takeIds', uid: 0, gid: 0, groups: 1, ...base },
  { op: 'dropGroups', ...base },
  { op: 'setUser', uid: 1, gid: 1, groups: [], keepGroups: 0, keepCapabilities: 0, ...base },
  { op: 'setNice', nice: -5, ...base },
  { op: 'setOomScore', score: -5, ...base },
  { op: 'mount', source: 'proc', target: '/proc', type: 'proc', flags: 0, data: '', ...base },
  { op: 'attachTree', source: '/a', target: '/b', attributes: 0, absent: 0, recursive: 1, ...base },
  { op: 'attachNew', type: 'sysfs', options: [], target: '/sys', attributes: 0, links: 0, ...base },
  { op: 'joinGroup', path: '/sys/fs/cgroup/x', ...base },
  { op: 'exec', argv: ['x'], env: [], path: '', reap: 0, ...base },
] as unknown as Op[]
const errnos = ['EPERM', 'EACCES', 'EINVAL', 'ENOSPC', 'EAGAIN', 'ENOENT', 'EBUSY', 'EOPNOTSUPP', 'EROFS', 'ENOMEM']

test.each(Object.keys(known) as FrontDoor[])('%s', async (door) => {
  const options = await known[door]()
  if (door !== 'library' && door !== 'cgroup-tools') expect(options.length).toBeGreaterThan(5)
  enterFrontDoor(door)
  for (const uid of [0, 1000]) {
    vi.spyOn(process, 'geteuid').mockReturnValue(uid)
    for (const op of steps)
      for (const errno of errnos)
        for (const part of stepParts.keys()) {
          const { remedy } = explainAlone(op, errno, part, () => [])
          const at = `${door} ${uid} ${op.op} ${errno} ${stepParts[part]}: ${remedy}`
          const foreign = optionsIn(remedy.replace(ofOthers, '')).filter((name) => !options.includes(name))
          expect([at, foreign]).toEqual([at, []])
          if (uid === 0) expect(at).not.toMatch(/(run )?as root\b(?! outside)/)
          expect(remedy).not.toBe('')
        }
    const { remedy } = fail('CAPABILITY_MISSING', { name: 'NET_RAW', origin: 'x' })
    expect(optionsIn(remedy).filter((name) => !options.includes(name))).toEqual([])
  }
})

test('the names are those of the option tables', () => {
  for (const { key, kind, flag } of optionRows)
    if (key !== undefined && (kind !== 'mount' || flag === 'volume'))
      expect([key, optionFor(key, undefined, 'cli')]).toEqual([key, `--${flag}`])
  expect(optionFor('parent', undefined, 'library')).toBe('parent')
  expect(Object.keys(bwrapOptions)).toContain(optionFor('userNamespace', undefined, 'bwrap')!)
})
