// SPDX-License-Identifier: Apache-2.0
// The unit of a container on a machine that runs systemd: what systemd and the kernel say of it from its start to its end.
import { spawnSync } from 'node:child_process'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { isGroup, readGroupFile, writeGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { removeGroups, signalGroups } from '../../src/oci/resources/groups.ts'
import { planContainerGroups } from '../../src/oci/resources/plan-groups.ts'
import { startUnit, stopUnit } from '../../src/oci/resources/systemd-unit.ts'
import { updateGroups } from '../../src/oci/resources/update.ts'
import { createPlanned } from '../support/planned-groups.ts'
import { requires } from '../support/requires.ts'
import { endSleepers, sleeper } from '../support/sleeper.ts'

const host = readHost()
const MiB = 2 ** 20

beforeEach((context) => requires(context, 'systemd', 'root', 'v2'))
afterAll(endSleepers)

const systemctl = (...args: string[]) => spawnSync('systemctl', args, { encoding: 'utf8' }).stdout.trim()
const show = (unit: string, ...names: string[]) =>
  Object.fromEntries(
    systemctl('show', unit, '-p', names.join(','))
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  )

test('a scope is started, limited, updated, and stopped', async () => {
  const resources = {
    memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 16 * MiB },
    cpu: { shares: 512, quota: 25_500 },
    pids: { limit: 4 },
    devices: [{ allow: false, access: 'rwm' }],
    unified: { 'memory.high': String(60 * MiB) },
  }
  const { groups, places, unit } = planContainerGroups(
    `system-hutchtest.slice:oci:t${process.pid}`,
    host,
    resources,
    'test',
    {
      driver: 'systemd',
      annotations: { 'org.systemd.property.TimeoutStopSec': 'uint64 7' },
    },
  )
  const directory = groups[0]!.directory
  expect(directory).toBe(`${host.unified!.mount}/system.slice/system-hutchtest.slice/oci-t${process.pid}.scope`)
  const ready = await startUnit(unit!, groups)
  try {
    expect(createPlanned(groups)).toBe(undefined)
    const pid = sleeper()
    expect(writeGroupFile(directory, 'cgroup.procs', String(pid))).toBe(undefined)
    await ready()
    const files = () =>
      [
        'memory.max',
        'memory.swap.max',
        'memory.low',
        'memory.high',
        'cpu.weight',
        'cpu.max',
        'pids.max',
        'cgroup.procs',
      ].map((file) => readGroupFile(directory, file))
    const expected = [64, 32, 16, 60].map((size) => String(size * MiB))
    expect(files()).toEqual([...expected, '59', '25500 100000', '4', String(pid)])
    expect(
      show(
        unit!.name,
        'MemoryMax',
        'MemorySwapMax',
        'CPUWeight',
        'TasksMax',
        'Delegate',
        'DevicePolicy',
        'Slice',
        'TimeoutStopUSec',
        'CPUQuotaPerSecUSec',
      ),
    ).toEqual({
      MemoryMax: String(64 * MiB),
      MemorySwapMax: String(32 * MiB),
      CPUWeight: '59',
      TasksMax: '4',
      Delegate: 'yes',
      DevicePolicy: 'strict',
      Slice: 'system-hutchtest.slice',
      TimeoutStopUSec: '7s',
      CPUQuotaPerSecUSec: '260ms',
    })
    await updateGroups(places, { memory: { limit: 128 * MiB }, pids: { limit: 9 } }, host, unit!.name)
    systemctl('daemon-reload')
    expect([readGroupFile(directory, 'memory.max'), readGroupFile(directory, 'pids.max')]).toEqual([
      String(128 * MiB),
      '9',
    ])
    expect(show(unit!.name, 'MemoryMax', 'TasksMax')).toEqual({ MemoryMax: String(128 * MiB), TasksMax: '9' })
  } finally {
    signalGroups(places, 9)
    removeGroups(places)
    await stopUnit(unit!.name)
  }
  expect(isGroup(directory)).toBe(false)
  expect(show(unit!.name, 'LoadState')).toEqual({ LoadState: 'not-found' })
  // again: a unit that does not exist is no error
  await stopUnit(unit!.name)
})
