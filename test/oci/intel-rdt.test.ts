// SPDX-License-Identifier: Apache-2.0
// What linux.intelRdt writes, and which directories stay. No machine of these tests has resctrl: an empty directory is in its place, so this does
// not show what the kernel makes of it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { closeRdtClass, openRdtClass } from '../../src/oci/lifecycle/intel-rdt.ts'
import { requires } from '../support/requires.ts'
import { containers } from './containers.ts'

const mount = mkdtempSync(`${tmpdir()}/hutch-rdt-`)
afterAll(() => rmSync(mount, { recursive: true }))

test('the line of memBwSchema replaces those of l3CacheSchema, and schemata follow', () => {
  const rdt = { closID: 'lines', l3CacheSchema: 'L3:0=f\nMB:0=10', memBwSchema: 'MB:0=50', schemata: ['L2:0=3'] }
  openRdtClass(rdt, 'a', mount)
  expect(readFileSync(`${mount}/lines/schemata`, 'latin1')).toBe('L3:0=f\nMB:0=50\nL2:0=3\n')
})

test('a class with a name stays, and one with the name of the container ends with it', () => {
  closeRdtClass(openRdtClass({ closID: 'lines' }, 'a', mount))
  expect(existsSync(`${mount}/lines`)).toBe(true)
  const own = openRdtClass({}, 'own', mount)
  expect(own).toEqual({ directories: [`${mount}/own`], own: [`${mount}/own`] })
  closeRdtClass(own)
  expect(existsSync(`${mount}/own`)).toBe(false)
})

test('a monitoring group ends with the container', () => {
  mkdirSync(`${mount}/lines/mon_groups`)
  const opened = openRdtClass({ closID: 'lines', enableMonitoring: true }, 'seen', mount)
  expect(opened).toEqual({
    directories: [`${mount}/lines`, `${mount}/lines/mon_groups/seen`],
    own: [`${mount}/lines/mon_groups/seen`],
  })
  closeRdtClass(opened)
  expect(existsSync(`${mount}/lines/mon_groups/seen`)).toBe(false)
})

test('a class that does not exist and has no schemata is an error', () => {
  expect(() => openRdtClass({ closID: 'none' }, 'a', mount)).toThrow(/closID.*none: ENOENT/)
})

test('the command writes the schemata of a class, and its processes', (context) => {
  requires(context, 'root', 'busybox')
  const { path, oci, bundle, remove } = containers()
  try {
    const { id, directory } = bundle('rdt', {
      'process.args': ['sleep', '1000'],
      'linux.intelRdt': { closID: 'shared', schemata: ['MB:0=50'], enableMonitoring: false },
    })
    const words = (...given: string[]) =>
      oci
        .words(...given)
        .map((word) => `'${word}'`)
        .join(' ')
    // a directory in the place of resctrl, in a mount namespace of the test
    const script = `set -e
      mkdir ${path}/fs; mount -t tmpfs tmpfs ${path}/fs; mkdir ${path}/fs/cgroup ${path}/fs/resctrl
      mount --rbind /sys/fs/cgroup ${path}/fs/cgroup; mount --rbind ${path}/fs /sys/fs
      ! ${words('create', '--bundle', directory, id)} < /dev/null 2> ${path}/refused
      echo > /sys/fs/resctrl/schemata
      ${words('create', '--bundle', directory, '--pid-file', `${path}/pid`, id)} < /dev/null > ${path}/log 2>&1
      ${words('start', id)}
      ${words('exec', '--detach', '--pid-file', `${path}/second`, id, 'sleep', '1000')} < /dev/null > ${path}/log 2>&1
      cat /sys/fs/resctrl/shared/schemata; cat ${path}/pid; echo; cat ${path}/second; echo; cat /sys/fs/resctrl/shared/tasks; echo
      ${words('delete', '--force', id)}; ls -d /sys/fs/resctrl/shared`
    const { stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(stderr).toBe('')
    const [schemata, , second, joined, kept] = stdout.trim().split('\n')
    expect([schemata, joined, kept]).toEqual(['MB:0=50', second, '/sys/fs/resctrl/shared'])
    expect(readFileSync(`${path}/refused`, 'utf8')).toMatch(/Intel RDT is not enabled/)
  } finally {
    remove()
  }
})
