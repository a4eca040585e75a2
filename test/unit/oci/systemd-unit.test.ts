// SPDX-License-Identifier: Apache-2.0
// Units of systemd for containers: their names, and the properties that resources and annotations become.
import { expect, test } from 'vitest'
import type { LinuxResources } from '../../../src/oci/resources/linux-resources.ts'
import { parseUnitPath } from '../../../src/oci/resources/systemd-path.ts'
import { annotatedProperties, deviceProperties, limitProperties } from '../../../src/oci/resources/unit-properties.ts'

const infinity = 2n ** 64n - 1n

test.each([
  ['machine.slice:libpod:0a', 'libpod-0a.scope', 'machine.slice', '/machine.slice/libpod-0a.scope'],
  ['system.slice:docker:0a', 'docker-0a.scope', 'system.slice', '/system.slice/docker-0a.scope'],
  [
    'kubepods-besteffort-pod1_2.slice:cri-containerd:0a',
    'cri-containerd-0a.scope',
    'kubepods-besteffort-pod1_2.slice',
    '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-0a.scope',
  ],
  [':crio:x', 'crio-x.scope', 'system.slice', '/system.slice/crio-x.scope'],
  ['a.slice::x', 'x.scope', 'a.slice', '/a.slice/x.scope'],
  ['-.slice:a:b', 'a-b.scope', '-.slice', '/a-b.scope'],
  ['a.slice:p:a-b.slice', 'a-b.slice', 'a.slice', '/a.slice/a-b.slice'],
  [undefined, 'hutch-box.scope', 'system.slice', '/system.slice/hutch-box.scope'],
])('%s', (path, unit, slice, group) => {
  expect(parseUnitPath(path, 'box', 'system')).toEqual({ unit, slice, path: group })
})

test('units of a user are in user.slice by default', () => {
  expect(parseUnitPath(undefined, 'box', 'user').path).toBe('/user.slice/hutch-box.scope')
})

test.each([
  ['/a/b', /expected cgroupsPath to be of format "slice:prefix:name"/],
  ['a.slice:b', /of format/],
  ['a.slice:b:', /not the name of a unit/],
  ['a:b:c', /not the name of a slice/],
  ['a--b.slice:b:c', /not the name of a slice/],
  ['-a.slice:b:c', /not the name of a slice/],
  ['a-.slice:b:c', /not the name of a slice/],
  ['a/b.slice:b:c', /not the name of a slice/],
  ['a.slice:b:../c', /not the name of a unit/],
])('%s is refused', (path, message) => {
  expect(() => parseUnitPath(path, 'box', 'system')).toThrow(message)
})

test.each<[LinuxResources, [string, unknown][]]>([
  [{}, []],
  [{ memory: { limit: 1000 } }, [['MemoryMax', 1000n]]],
  [
    { memory: { limit: 1000, swap: 3000, reservation: 500 } },
    [
      ['MemoryMax', 1000n],
      ['MemorySwapMax', 2000n],
      ['MemoryLow', 500n],
    ],
  ],
  [
    { memory: { limit: -1 } },
    [
      ['MemoryMax', infinity],
      ['MemorySwapMax', infinity],
    ],
  ],
  [{ pids: { limit: 0 } }, [['TasksMax', 1n]]],
  [{ pids: { limit: -1 } }, [['TasksMax', infinity]]],
  [{ cpu: { shares: 1024 } }, [['CPUWeight', 100n]]],
  [{ cpu: { quota: 50_000 } }, [['CPUQuotaPerSecUSec', 500_000n]]],
  [
    { cpu: { quota: 1001, period: 100_000 } },
    [
      ['CPUQuotaPeriodUSec', 100_000n],
      ['CPUQuotaPerSecUSec', 20_000n],
    ],
  ],
  [{ cpu: { quota: -1 } }, [['CPUQuotaPerSecUSec', infinity]]],
  [
    { cpu: { cpus: '0-2,9', mems: '0' } },
    [
      ['AllowedCPUs', [7, 2]],
      ['AllowedMemoryNodes', [1]],
    ],
  ],
])('%o', (resources, expected) => {
  expect(limitProperties(resources).map(([name, [, value]]) => [name, value])).toEqual(expected)
})

test('allowed devices have the names that systemd takes', () => {
  const rule = { type: 'c', access: 'rwm', allow: true } as const
  const drivers = new Map([['char 136', 'pts']])
  expect(
    deviceProperties(
      [
        { ...rule, major: 1, minor: 3 },
        { ...rule, major: 136, minor: '*' },
        { ...rule, major: 200, minor: '*' },
        { ...rule, type: 'b', major: '*', minor: '*', access: 'm' },
        { ...rule, major: 1, minor: 5, allow: false },
      ],
      drivers,
    ),
  ).toEqual([
    ['DevicePolicy', ['s', 'strict']],
    [
      'DeviceAllow',
      [
        'a(ss)',
        [
          ['/dev/char/1:3', 'rwm'],
          ['char-pts', 'rwm'],
          ['block-*', 'm'],
        ],
      ],
    ],
  ])
  const all = (['b', 'c'] as const).map((type) => ({ ...rule, type, major: '*', minor: '*' }) as const)
  expect(deviceProperties(all, drivers)[0]).toEqual(['DevicePolicy', ['s', 'auto']])
})

test.each<[string, string, unknown]>([
  ['CollectMode', "'inactive'", ['CollectMode', ['s', 'inactive']]],
  ['SendSIGHUP', 'true', ['SendSIGHUP', ['b', true]]],
  ['MemoryHigh', 'uint64 1000', ['MemoryHigh', ['t', 1000n]]],
  ['TimeoutStopSec', 'uint64 30', ['TimeoutStopUSec', ['t', 30_000_000n]]],
  ['TimeoutStopSec', '1.5', ['TimeoutStopUSec', ['t', 1_500_000n]]],
  ['OOMScoreAdjust', '-5', ['OOMScoreAdjust', ['i', -5]]],
  ['After', '[\'a.service\', "b"]', ['After', ['as', ['a.service', 'b']]]],
  ['After', '@as []', ['After', ['as', []]]],
  ['Description', "'it\\'s'", ['Description', ['s', "it's"]]],
])('the annotation %s with %s', (name, text, expected) => {
  expect(annotatedProperties({ [`org.systemd.property.${name}`]: text, other: 'x' })).toEqual([expected])
})

test.each([
  ['x', 'true'],
  ['Has Space', 'true'],
  ['Description', 'bare'],
  ['After', "['a', 5]"],
  ['MemoryMax', 'uint8 5'],
])('the annotation %s with %s is refused', (name, text) => {
  expect(() => annotatedProperties({ [`org.systemd.property.${name}`]: text })).toThrow(/annotations/)
})
