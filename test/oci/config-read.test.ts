// SPDX-License-Identifier: Apache-2.0
// Reading config.json: valid documents, and the path and the accepted value in each error.
import { describe, expect, test } from 'vitest'
import type { HutchError } from '../../src/errors/errors.ts'
import { readConfig, readProcess, readResources } from '../../src/oci/config/read-config.ts'
import { minimal } from './config-documents.ts'

function errorOf(action: () => unknown): HutchError {
  try {
    action()
  } catch (error) {
    return error as HutchError
  }
  throw new Error('nothing was refused')
}

/** The path that an error names for a document in which one property has this value. */
function refused(path: string, value: unknown): string {
  const error = errorOf(() => readConfig(JSON.stringify(minimal({ [path]: value }))))
  expect(error.code).toBe('OCI_CONFIG_INVALID')
  return error.path!
}

test('a minimal document is read', () => {
  const config = readConfig(JSON.stringify(minimal()))
  expect(config.process).toEqual({ cwd: '/', args: ['sh'] })
  expect(config.root).toEqual({ path: 'rootfs' })
})

test.each(['1.0.0', '1.0.2-dev', '1.1.0+dev', '1.3.0', '1.2.0-rc.1'])('version %s is accepted', (ociVersion) => {
  expect(readConfig(JSON.stringify({ ociVersion })).ociVersion).toBe(ociVersion)
})

test.each(['2.0.0', '0.9.0', '1', '', 'latest', 1])('version %j is an error', (ociVersion) => {
  expect(errorOf(() => readConfig(JSON.stringify({ ociVersion }))).path).toBe('ociVersion')
})

test('unknown properties are ignored, and so are sections of other platforms', () => {
  const config = readConfig(JSON.stringify({ ...minimal(), windows: { layerFolders: 3 }, vm: 1, 'x-own': [] }))
  expect(Object.keys(config)).toEqual(['ociVersion', 'process', 'root', 'linux'])
})

test('a property that is null is missing', () => {
  expect(readConfig(JSON.stringify(minimal({ 'process.env': null, 'linux.seccomp': null }))).process).toEqual({
    cwd: '/',
    args: ['sh'],
  })
  expect(refused('process.cwd', null)).toBe('process.cwd')
})

test('numbers of 64 bits are exact', () => {
  const { memory, cpu } = readResources(
    '{"memory":{"limit":9007199254740993,"swap":-1},"cpu":{"period":18446744073709551615}}',
  )
  expect(memory).toEqual({ limit: 9007199254740993n, swap: -1n })
  expect(cpu).toEqual({ period: 18446744073709551615n })
  const { rlimits } = readProcess(
    '{"cwd":"/","args":["a"],"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]}',
  )
  expect(rlimits).toEqual([{ type: 'RLIMIT_CORE', soft: 0n, hard: 18446744073709551615n }])
})

describe('errors name the path', () => {
  test.each<[path: string, value: unknown, named?: string]>([
    ['process', 'sh'],
    ['process.args', 'sh'],
    ['process.args', ['sh', 1], 'process.args[1]'],
    ['process.args', ['a\0b'], 'process.args[0]'],
    ['process.cwd', 'home'],
    ['process.terminal', 'yes'],
    ['process.consoleSize', { height: 3 }, 'process.consoleSize.width'],
    ['process.env', [null], 'process.env[0]'],
    ['process.user', { uid: -1, gid: 0 }, 'process.user.uid'],
    ['process.user', { uid: 4294967295, gid: 0 }, 'process.user.uid'],
    ['process.user', { uid: 0 }, 'process.user.gid'],
    ['process.user', { uid: 0, gid: 0, umask: 512 }, 'process.user.umask'],
    ['process.user', { uid: 0, gid: 0, additionalGids: [1.5] }, 'process.user.additionalGids[0]'],
    ['process.rlimits', [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }], 'process.rlimits[0].type'],
    ['process.rlimits', [{ type: 'RLIMIT_CPU', soft: -1, hard: 1 }], 'process.rlimits[0].soft'],
    ['process.capabilities', { bounding: ['CAP_KILL', 'KILL'] }, 'process.capabilities.bounding[1]'],
    ['process.capabilities', { ambient: ['CAP_KIL'] }, 'process.capabilities.ambient[0]'],
    ['process.noNewPrivileges', 1],
    ['process.apparmorProfile', 1],
    ['process.selinuxLabel', {}],
    ['process.oomScoreAdj', 1001],
    ['process.scheduler', { policy: 'SCHED_FAST' }, 'process.scheduler.policy'],
    ['process.scheduler', { policy: 'SCHED_OTHER', nice: 20 }, 'process.scheduler.nice'],
    ['process.scheduler', { policy: 'SCHED_OTHER', flags: ['x'] }, 'process.scheduler.flags[0]'],
    ['process.ioPriority', { class: 'IOPRIO_CLASS_NONE' }, 'process.ioPriority.class'],
    ['process.ioPriority', { class: 'IOPRIO_CLASS_BE', priority: 8 }, 'process.ioPriority.priority'],
    ['process.execCPUAffinity', { initial: 'all' }, 'process.execCPUAffinity.initial'],
    ['root', {}, 'root.path'],
    ['root', { path: '' }, 'root.path'],
    ['root', { path: 'r', readonly: 1 }, 'root.readonly'],
    ['hostname', 1],
    ['domainname', []],
    ['mounts', {}],
    ['mounts', [{ type: 'tmpfs' }], 'mounts[0].destination'],
    ['mounts', [{ destination: '/a', options: 'ro' }], 'mounts[0].options'],
    ['mounts', [{ destination: '/a', uidMappings: [{ containerID: 0 }] }], 'mounts[0].uidMappings[0].hostID'],
    ['hooks', { poststop: [{ path: 'bin/x' }] }, 'hooks.poststop[0].path'],
    ['hooks', { prestart: [{ path: '/x', timeout: 0 }] }, 'hooks.prestart[0].timeout'],
    ['annotations', { a: 1 }, 'annotations.a'],
    ['annotations', { '': 'x' }, 'annotations (key)'],
    ['linux.namespaces', [{ type: 'net' }], 'linux.namespaces[0].type'],
    ['linux.namespaces', [{ type: 'network', path: 'ns/web' }], 'linux.namespaces[0].path'],
    ['linux.uidMappings', [{ containerID: 0, hostID: 0, size: 0 }], 'linux.uidMappings[0].size'],
    ['linux.timeOffsets', { realtime: {} }, 'linux.timeOffsets (key)'],
    ['linux.timeOffsets', { boottime: { nanosecs: 1e9 } }, 'linux.timeOffsets.boottime.nanosecs'],
    ['linux.devices', [{ type: 'x', path: '/dev/x' }], 'linux.devices[0].type'],
    ['linux.devices', [{ type: 'c', path: 'dev/x' }], 'linux.devices[0].path'],
    ['linux.devices', [{ type: 'c', path: '/dev/x', major: -1 }], 'linux.devices[0].major'],
    ['linux.netDevices', { eth0: 'eth1' }, 'linux.netDevices.eth0'],
    ['linux.cgroupsPath', 3],
    ['linux.rootfsPropagation', 'rsharde'],
    ['linux.seccomp', {}, 'linux.seccomp.defaultAction'],
    [
      'linux.seccomp',
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['x'] }] },
      'linux.seccomp.syscalls[0].action',
    ],
    ['linux.sysctl', { 'net.a': 1 }, 'linux.sysctl["net.a"]'],
    ['linux.maskedPaths', ['proc'], 'linux.maskedPaths[0]'],
    ['linux.readonlyPaths', [null], 'linux.readonlyPaths[0]'],
    ['linux.mountLabel', 1],
    ['linux.intelRdt', { closID: 1 }, 'linux.intelRdt.closID'],
    ['linux.personality', { domain: 'BSD' }, 'linux.personality.domain'],
    ['linux.memoryPolicy', { mode: 'MPOL_X' }, 'linux.memoryPolicy.mode'],
    ['linux.memoryPolicy', { mode: 'MPOL_BIND', flags: ['y'] }, 'linux.memoryPolicy.flags[0]'],
    ['linux.resources', { devices: [{ access: 'r' }] }, 'linux.resources.devices[0].allow'],
    ['linux.resources', { devices: [{ allow: true, access: 'rx' }] }, 'linux.resources.devices[0].access'],
    ['linux.resources', { memory: { limit: '5M' } }, 'linux.resources.memory.limit'],
    ['linux.resources', { memory: { limit: 2 ** 63 } }, 'linux.resources.memory.limit'],
    ['linux.resources', { cpu: { shares: -1 } }, 'linux.resources.cpu.shares'],
    ['linux.resources', { pids: { limit: 1.5 } }, 'linux.resources.pids.limit'],
    ['linux.resources', { blockIO: { weightDevice: [{ major: 8 }] } }, 'linux.resources.blockIO.weightDevice[0].minor'],
    [
      'linux.resources',
      { hugepageLimits: [{ pageSize: '../x', limit: 1 }] },
      'linux.resources.hugepageLimits[0].pageSize',
    ],
    ['linux.resources', { network: { classID: 2 ** 32 } }, 'linux.resources.network.classID'],
    ['linux.resources', { rdma: { mlx5_1: 3 } }, 'linux.resources.rdma.mlx5_1'],
    ['linux.resources', { unified: { 'memory.high': 5 } }, 'linux.resources.unified["memory.high"]'],
  ])('%s: %j', (path, value, named = path) => {
    expect(refused(path, value)).toBe(named)
  })
})

test('an error says the value that is accepted', () => {
  const error = errorOf(() => readResources('{"memory":{"limit":"5M"}}'))
  expect(error.message).toBe(
    'memory.limit is 5M: not a whole number\n  remedy: give a whole number from -9223372036854775808 to 9223372036854775807',
  )
  expect(refused('linux.namespaces', [{ type: 'netwrok' }])).toBe('linux.namespaces[0].type')
  expect(errorOf(() => readConfig('{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"netwrok"}]}}')).remedy).toBe(
    'give network?',
  )
})

test.each([
  ['', 'line 1, column 1: unexpected end'],
  ['{"ociVersion":"1.0.0"', 'line 1, column 22: unexpected end'],
  [`${'['.repeat(300)}`, 'nested more than 200 levels deep'],
  [`"${' '.repeat(1 << 22)}"`, 'it has 4194306 characters'],
  ['[]', 'not an object'],
])('a document that is not a configuration is an error (%#)', (document, words) => {
  expect(errorOf(() => readConfig(document)).message).toContain(words)
})
