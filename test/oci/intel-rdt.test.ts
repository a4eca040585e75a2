// SPDX-License-Identifier: Apache-2.0
// What linux.intelRdt writes, and which directories stay. No machine of these tests has resctrl: an empty directory is in its place, so this does
// not show what the kernel makes of it.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { closeRdtClass, openRdtClass } from '../../src/oci/lifecycle/intel-rdt.ts'

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
