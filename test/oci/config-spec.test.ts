// SPDX-License-Identifier: Apache-2.0
// config.json to Spec: each property as the planner gets it, and what is refused.
import { describe, expect, test } from 'vitest'
import type { HutchError } from '../../src/errors/errors.ts'
import { toExecSpec } from '../../src/oci/config/exec-spec.ts'
import { addHome } from '../../src/oci/config/home.ts'
import { readConfig, readProcess } from '../../src/oci/config/read-config.ts'
import { type ContainerFacts, toSpec } from '../../src/oci/config/to-spec.ts'
import { makeForeign } from '../../src/seccomp/make-filter.ts'
import { runFilter } from '../seccomp/bpf.ts'
import { minimal } from './config-documents.ts'

const facts: ContainerFacts = {
  id: 'web',
  bundle: '/bundles/web',
  kernel: [6, 1],
  hasAppArmor: false,
  hasSelinux: false,
  hasResctrl: false,
  groups: [],
  streams: { start: 3, kept: 0 },
}

const convert = (changes: { [path: string]: unknown } = {}, more: Partial<ContainerFacts> = {}) =>
  toSpec(readConfig(JSON.stringify(minimal(changes))), { ...facts, ...more })

function refused(changes: { [path: string]: unknown }, more: Partial<ContainerFacts> = {}): string {
  try {
    convert(changes, more)
  } catch (error) {
    expect((error as HutchError).code).toBe('OCI_CONFIG_INVALID')
    return (error as HutchError).summary
  }
  throw new Error('nothing was refused')
}

test('a minimal configuration', () => {
  const { spec, warnings } = convert()
  expect(warnings).toEqual([])
  expect(spec).toMatchObject({
    command: 'sh',
    args: [],
    workdir: '/',
    env: {},
    extendEnv: false,
    isolate: ['mount', 'pid'],
    joins: [],
    init: false,
    dieWithParent: false,
    rest: 'nobody',
    group: { name: 'web', lifetime: 'container' },
    privileges: { newPrivileges: true, ulimits: [] },
    container: {
      ids: { uid: 0, gid: 0, groups: [] },
      umask: 0o022,
      capabilities: { bounding: 0, effective: 0, permitted: 0, inheritable: 0, ambient: 0 },
      keyring: '_ses.web',
      startSocket: 3,
      checksProgram: true,
      keptStreams: 0,
      rootChange: 'pivot',
    },
  })
  expect(spec.privileges.oomScoreAdj).toBe(undefined)
  expect(spec.root).toMatchObject({
    directory: '/bundles/web/rootfs',
    standard: false,
    propagation: 'rprivate',
    maskedPaths: [],
    readonlyPaths: [],
  })
})

describe('process', () => {
  test('ids, umask, environment, limits, priorities', () => {
    const { spec } = convert({
      'process.args': ['sleep', '5'],
      'process.cwd': '/home/a',
      'process.env': ['A=1', 'B=x=y', 'A=2', 'C='],
      'process.user': { uid: 1000, gid: 100, umask: 0o77, additionalGids: [10, 20] },
      'process.noNewPrivileges': true,
      'process.oomScoreAdj': -5,
      'process.rlimits': [
        { type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 },
        { type: 'RLIMIT_CORE', soft: 0, hard: Number.MAX_SAFE_INTEGER },
      ],
      'process.ioPriority': { class: 'IOPRIO_CLASS_BE', priority: 5 },
      'process.scheduler': { policy: 'SCHED_FIFO', priority: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    })
    expect(spec).toMatchObject({
      command: 'sleep',
      args: ['5'],
      workdir: '/home/a',
      env: { A: '2', B: 'x=y', C: '' },
      privileges: {
        newPrivileges: false,
        oomScoreAdj: -5,
        ioPriority: 2 * 2 ** 13 + 5,
        ulimits: [
          { name: 'nofile', resource: 7, soft: 1024, hard: 4096 },
          { name: 'core', resource: 4, soft: 0, hard: Number.MAX_SAFE_INTEGER },
        ],
      },
      container: {
        ids: { uid: 1000, gid: 100, groups: [10, 20] },
        umask: 0o77,
        schedulerAttributes: { policy: 1, priority: 3, flags: 1, nice: 0, runtime: 0, deadline: 0, period: 0 },
      },
    })
  })

  test('an unlimited resource', () => {
    const text = JSON.stringify(minimal({ 'process.rlimits': [{ type: 'RLIMIT_AS', soft: 'X', hard: 'X' }] }))
    const { spec } = toSpec(readConfig(text.replaceAll('"X"', '18446744073709551615')), facts)
    expect(spec.privileges.ulimits).toEqual([{ name: 'as', resource: 9, soft: -1, hard: -1 }])
  })

  test('a resource limit of 64 bits stays exact', () => {
    const text = JSON.stringify(minimal({ 'process.rlimits': [{ type: 'RLIMIT_AS', soft: 5, hard: 'X' }] }))
    const { spec, warnings } = toSpec(readConfig(text.replace('"X"', '9223372036854775807')), facts)
    expect(spec.privileges.ulimits).toMatchObject([{ name: 'as', soft: 5, exact: { soft: 5n, hard: 2n ** 63n - 1n } }])
    expect(warnings).toEqual([])
  })

  test('an annotation keeps the supplementary groups of the creator', () => {
    const { spec } = convert({ annotations: { 'run.oci.keep_original_groups': '1' } })
    expect(spec.container?.ids).toEqual({ uid: 0, gid: 0 })
  })

  test('each set of capabilities is exact, and one that this kernel lacks is a warning', () => {
    const { spec, warnings } = convert(
      {
        'process.capabilities': {
          bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_CHECKPOINT_RESTORE'],
          effective: ['CAP_CHOWN'],
          permitted: ['CAP_CHOWN', 'CAP_BPF'],
          ambient: [],
        },
      },
      { kernel: [5, 7] },
    )
    expect(spec.container?.capabilities).toEqual({
      bounding: 0b100001,
      effective: 1,
      permitted: 1,
      inheritable: 0,
      ambient: 0,
    })
    expect(warnings).toEqual([
      'process.capabilities: ignoring unknown or unavailable capabilities: CAP_CHECKPOINT_RESTORE, CAP_BPF',
    ])
  })

  test('a terminal', () => {
    const { spec } = convert(
      { 'process.terminal': true, 'process.consoleSize': { height: 24, width: 80 } },
      { streams: { start: 3, console: 4, kept: 0 } },
    )
    expect(spec.container?.terminal).toEqual({ socket: 4, rows: 24, columns: 80 })
  })

  test('labels of active security modules', () => {
    const { spec } = convert(
      { 'process.apparmorProfile': 'docker-default', 'process.selinuxLabel': 'a:b:c', 'linux.mountLabel': 'm:n' },
      { hasAppArmor: true, hasSelinux: true },
    )
    expect(spec.container?.labels).toEqual([
      { file: 'apparmor/exec', value: 'exec docker-default' },
      { file: 'exec', value: 'a:b:c' },
    ])
  })

  test.each<[changes: { [path: string]: unknown }, words: string]>([
    [{ process: undefined }, 'process: process property must not be empty'],
    [{ 'process.args': [] }, 'process.args: args must not be empty'],
    [{ 'process.env': ['A'] }, 'process.env[0] is A: invalid environment variable'],
    [{ 'process.env': ['=A'] }, 'process.env[0] is =A: invalid environment variable'],
    [
      {
        'process.rlimits': [
          { type: 'RLIMIT_CPU', soft: 1, hard: 1 },
          { type: 'RLIMIT_CPU', soft: 2, hard: 2 },
        ],
      },
      'process.rlimits[1].type is RLIMIT_CPU: duplicated rlimit',
    ],
    [
      { 'process.rlimits': [{ type: 'RLIMIT_CPU', soft: 2, hard: 1 }] },
      'process.rlimits[0].soft is 2: the soft limit is above the hard limit',
    ],
    [
      { 'process.terminal': true },
      'process.terminal is true: cannot allocate tty if runc will detach without setting console socket',
    ],
    [
      { 'process.apparmorProfile': 'x' },
      'process.apparmorProfile is x: apparmor failed to apply profile: AppArmor is not enabled on this host',
    ],
    [
      { 'process.selinuxLabel': 'x' },
      'process.selinuxLabel is x: selinux label is specified in config, but selinux is disabled or not supported',
    ],
    [
      { 'process.scheduler': { policy: 'SCHED_OTHER', priority: 1 } },
      'process.scheduler.priority is 1: scheduler.priority can only be specified for SchedFIFO or SchedRR policy',
    ],
    [
      { 'process.scheduler': { policy: 'SCHED_RR', period: 1 } },
      'process.scheduler.period is 1: scheduler runtime/deadline/period can only be specified for SchedDeadline policy',
    ],
    [
      { 'process.scheduler': { policy: 'SCHED_ISO' } },
      'process.scheduler.policy is SCHED_ISO: Linux reserves it, and has no such policy',
    ],
    [
      { 'process.execCPUAffinity': { initial: '3-1' } },
      'process.execCPUAffinity.initial is 3-1: not a list of processors',
    ],
  ])('%j is refused', (changes, words) => {
    expect(refused(changes)).toBe(words)
  })

  test('a console socket without a terminal is refused', () => {
    expect(refused({}, { streams: { console: 3, kept: 0 } })).toBe(
      'process.terminal is false: cannot use console socket if runc will not detach or allocate tty',
    )
  })

  test('HOME comes from the container if it is absent or empty', () => {
    const passwd = 'root:x:0:0::/root:/bin/sh\nbroken\na:x:1000:100::/home/a:\n'
    expect(addHome({ A: 'b' }, passwd, 1000)).toEqual({ A: 'b', HOME: '/home/a' })
    expect(addHome({ HOME: '' }, passwd, 0)).toEqual({ HOME: '/root' })
    expect(addHome({ HOME: '/x' }, passwd, 0)).toEqual({ HOME: '/x' })
    expect(addHome({}, passwd, 7)).toEqual({ HOME: '/' })
  })
})

describe('namespaces', () => {
  test('new ones, joins in order, id maps, names, sysctls, clocks', () => {
    const { spec } = convert({
      'linux.namespaces': [
        { type: 'network', path: '/run/netns/a' },
        { type: 'user', path: '/proc/7/ns/user' },
        { type: 'mount' },
        { type: 'uts', path: '' },
        { type: 'ipc' },
        { type: 'time' },
      ],
      hostname: 'web',
      'linux.timeOffsets': { monotonic: { secs: -172800, nanosecs: 5 }, boottime: { secs: 604800 } },
      'linux.sysctl': { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '5', 'kernel.domainname': 'example.org' },
    })
    expect(spec).toMatchObject({
      isolate: ['mount', 'uts', 'ipc', 'time'],
      joins: [
        { kind: 'user', path: '/proc/7/ns/user' },
        { kind: 'net', path: '/run/netns/a' },
      ],
      hostname: 'web',
      domainname: 'example.org',
      timeOffsets: 'monotonic -172800 5\nboottime 604800 0\n',
    })
    expect(spec.sysctls.map(({ path, value, kind }) => [path, value, kind])).toEqual([
      ['net/ipv4/ip_forward', '1', 'net'],
      ['kernel/shmmax', '5', 'ipc'],
    ])
  })

  test('id maps of a new user namespace', () => {
    const { spec } = convert({
      'linux.namespaces': [{ type: 'mount' }, { type: 'user' }],
      'linux.uidMappings': [{ containerID: 0, hostID: 1000, size: 10 }],
      'linux.gidMappings': [{ containerID: 0, hostID: 2000, size: 20 }],
    })
    expect(spec.container?.maps).toEqual({
      users: [{ inside: 0, outside: 1000, count: 10 }],
      groups: [{ inside: 0, outside: 2000, count: 20 }],
    })
  })

  const mount = { type: 'mount' }
  const map = [{ containerID: 0, hostID: 0, size: 1 }]
  test.each<[changes: { [path: string]: unknown }, words: RegExp]>([
    [{ 'linux.namespaces': [mount, mount] }, /^linux\.namespaces\[1\]\.type is mount: duplicated namespace/],
    [{ 'linux.namespaces': [] }, /^linux\.namespaces: without a mount namespace/],
    [{ hostname: 'a' }, /^hostname is a: unable to set hostname without a private UTS namespace/],
    [{ domainname: 'a' }, /^domainname is a: unable to set domainname without a private UTS namespace/],
    [{ 'linux.uidMappings': map }, /^linux\.uidMappings: user namespace mappings specified, but/],
    [{ 'linux.namespaces': [mount, { type: 'user' }] }, /^linux\.uidMappings: it maps no ids/],
    [
      { 'linux.namespaces': [mount, { type: 'user' }], 'linux.uidMappings': [...map, ...map] },
      /^linux\.uidMappings: the id 0 inside is mapped twice/,
    ],
    [{ 'linux.timeOffsets': { boottime: {} } }, /^linux\.timeOffsets: time namespace offsets specified, but/],
    [
      { 'linux.namespaces': [mount, { type: 'time', path: '/x' }], 'linux.timeOffsets': { boottime: {} } },
      /^linux\.timeOffsets: time namespace enabled, but both/,
    ],
    [
      { 'linux.sysctl': { 'net.ipv4.ip_forward': '1' } },
      /^linux\.sysctl\["net\.ipv4\.ip_forward"\] is 1: not in a separate kernel namespace/,
    ],
    [
      { 'linux.sysctl': { 'kernel.shmmax': '1' } },
      /^linux\.sysctl\["kernel\.shmmax"\] is 1: not in a separate kernel namespace/,
    ],
    [
      { 'linux.sysctl': { 'kernel.panic': '1' } },
      /^linux\.sysctl\["kernel\.panic"\] is 1: not in a separate kernel namespace/,
    ],
    [{ 'linux.sysctl': { '../x': '1' } }, /^linux\.sysctl\["\.\.\/x"\] is 1: not in a separate kernel namespace/],
    [
      { 'linux.sysctl': { 'kernel.hostname': 'x' } },
      /^linux\.sysctl\["kernel\.hostname"\] is x: not allowed as it conflicts with the OCI hostname field/,
    ],
    [
      { 'linux.netDevices': { eth0: {} } },
      /^linux\.netDevices: unable to move network devices without a network namespace/,
    ],
    [{ 'linux.intelRdt': {} }, /^linux\.intelRdt: intelRdt is specified in config, but Intel RDT is not enabled/],
  ])('%j is refused', (changes, words) => {
    expect(refused(changes)).toMatch(words)
  })
})

describe('processors and memory', () => {
  test('memory policy and personality', () => {
    const { spec } = convert({
      'linux.memoryPolicy': { mode: 'MPOL_BIND', nodes: '0-1, 3', flags: ['MPOL_F_STATIC_NODES'] },
      'linux.personality': { domain: 'LINUX32' },
    })
    expect(spec.container).toMatchObject({ memoryPolicy: { mode: 2 | 0x8000, nodes: [0, 1, 3] }, personality: 8 })
  })

  test.each<[changes: { [path: string]: unknown }, words: RegExp]>([
    [{ 'linux.memoryPolicy': { mode: 'MPOL_BIND' } }, /^linux\.memoryPolicy\.nodes is "": MPOL_BIND needs nodes/],
    [{ 'linux.memoryPolicy': { mode: 'MPOL_LOCAL', nodes: '0' } }, /^linux\.memoryPolicy is MPOL_LOCAL: this mode/],
    [{ 'linux.memoryPolicy': { mode: 'MPOL_BIND', nodes: '0-99999' } }, /^linux\.memoryPolicy\.nodes is 0-99999: not/],
    [{ 'linux.personality': { domain: 'LINUX', flags: ['x'] } }, /^linux\.personality\.flags/],
  ])('%j is refused', (changes, words) => {
    expect(refused(changes)).toMatch(words)
  })
})

describe('seccomp', () => {
  test('unknown properties and system calls are left out, and values are exact', () => {
    const document = JSON.stringify(
      minimal({
        'linux.seccomp': {
          defaultAction: 'SCMP_ACT_ERRNO',
          defaultErrnoRet: 38,
          architectures: ['SCMP_ARCH_X86_64'],
          flags: ['SECCOMP_FILTER_FLAG_LOG'],
          listenerPath: '/run/agent',
          own: 1,
          syscalls: [
            { names: ['read', 'no_such_call'], action: 'SCMP_ACT_ALLOW', comment: 'x' },
            { names: ['no_such_call'], action: 'SCMP_ACT_KILL' },
            {
              names: ['clone'],
              action: 'SCMP_ACT_ALLOW',
              args: [{ index: 0, value: 'V', valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
            },
          ],
        },
      }),
    ).replace('"V"', '18446744073709551615')
    expect(toSpec(readConfig(document), facts).spec.seccomp).toEqual({
      profile: {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 38,
        architectures: ['SCMP_ARCH_X86_64'],
        flags: ['SECCOMP_FILTER_FLAG_LOG'],
        syscalls: [
          { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [] },
          {
            names: ['clone'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: '18446744073709551615', valueTwo: '0', op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
    })
  })
})

describe('a filter from linux.seccomp', () => {
  const compile = (seccomp: object) => {
    const source = convert({ 'linux.seccomp': seccomp }).spec.seccomp as { profile: object }
    return makeForeign({ value: source.profile }, 'linux.seccomp', 'x86_64')({ kernel: [6, 1], capabilities: [] })
  }
  const permit = { names: ['read'], action: 'SCMP_ACT_ALLOW' }
  /** What the filter returns for a call, by its number and first argument. */
  const answerOf = (seccomp: object, number: number, argument = 0n) =>
    runFilter(compile(seccomp).words, { number, machine: 0xc000003e, args: [argument] })

  test('defaultErrnoRet, errnoRet, and ENOSYS for calls that are newer than the profile', () => {
    const seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 13,
      syscalls: [permit, { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }, { ...permit, names: ['statx'] }],
    }
    expect(answerOf(seccomp, 0)).toBe(0x7fff0000)
    expect(answerOf(seccomp, 1)).toBe(0x50000 + 13)
    expect(answerOf(seccomp, 83)).toBe(0x50000 + 28)
    expect(answerOf(seccomp, 435)).toBe(0x50000 + 38)
  })

  test('masks of 64 bits', () => {
    const args = [{ index: 0, value: 2 ** 52, valueTwo: 2 ** 52, op: 'SCMP_CMP_MASKED_EQ' }]
    const seccomp = { defaultAction: 'SCMP_ACT_KILL_PROCESS', syscalls: [{ ...permit, args }] }
    expect(answerOf(seccomp, 0, (1n << 52n) + 5n)).toBe(0x7fff0000)
    expect(answerOf(seccomp, 0, 1n << 51n)).toBe(0x80000000)
  })

  test('flags', () => {
    const flags = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'].map((flag) => `SECCOMP_FILTER_FLAG_${flag}`)
    expect(compile({ defaultAction: 'SCMP_ACT_ALLOW', flags }).flags).toBe(2 + 4)
  })

  test.each<[seccomp: object, words: RegExp]>([
    [{ defaultAction: 'SCMP_ACT_ALOW' }, /linux\.seccomp: defaultAction is SCMP_ACT_ALOW/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }, /defaultErrnoRet is 1: SCMP_ACT_ALLOW has no number/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', flags: ['X'] }, /flags\[0\] is X/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['X'] }, /architectures\[0\] is X/],
    [{ defaultAction: 'SCMP_ACT_NOTIFY' }, /SCMP_ACT_NOTIFY cannot be used as default action/],
  ])('%j is refused', (seccomp, words) => {
    expect(() => compile(seccomp)).toThrow(words)
  })
})

describe('exec', () => {
  const config = readConfig(
    JSON.stringify(
      minimal({
        'linux.namespaces': [{ type: 'mount' }, { type: 'user', path: '/proc/1/ns/user' }, { type: 'network' }],
        'linux.seccomp': { defaultAction: 'SCMP_ACT_ALLOW' },
        'process.env': ['A=1'],
        'process.user': { uid: 5, gid: 5, umask: 0o27 },
        'process.noNewPrivileges': true,
        'process.capabilities': { bounding: ['CAP_KILL'], inheritable: ['CAP_KILL'] },
        'process.rlimits': [{ type: 'RLIMIT_CPU', soft: 1, hard: 1 }],
        'process.execCPUAffinity': { initial: '0', final: '1-2' },
      }),
    ),
  )
  const execFacts = { ...facts, pid: 77, groups: [{ controller: '', directory: '/g' }] }
  const exec = (process: object) => toExecSpec(readProcess(JSON.stringify(process)), config, execFacts).spec

  test('joins all namespaces and groups of the container', () => {
    const spec = exec({ cwd: '/', args: ['ps'] })
    expect(spec).toMatchObject({
      isolate: [],
      joins: [
        { kind: 'user', path: '/proc/77/ns/user' },
        { kind: 'mount', path: '/proc/77/ns/mnt' },
        { kind: 'net', path: '/proc/77/ns/net' },
      ],
      group: { enter: [{ controller: '', directory: '/g' }] },
      rest: 'nobody',
      seccomp: { profile: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } },
    })
    expect(spec.root).toBe(undefined)
  })

  test('has the properties of the first process, except the environment and no_new_privs', () => {
    const spec = exec({ cwd: '/', args: ['ps'], apparmorProfile: '', rlimits: [], user: { uid: 0, gid: 0 } })
    expect(spec.env).toEqual({})
    expect(spec.privileges).toMatchObject({ newPrivileges: true, ulimits: [{ name: 'cpu', soft: 1, hard: 1 }] })
    expect(spec.container).toMatchObject({
      ids: { uid: 0, gid: 0, groups: [] },
      umask: 0o27,
      capabilities: { bounding: 32, inheritable: 32, permitted: 0 },
      affinity: { initial: [0], final: [1, 2] },
    })
  })

  test('has its own properties if it names them', () => {
    const capabilities = { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'] }
    const spec = exec({ cwd: '/', args: ['ps'], capabilities, execCPUAffinity: { initial: '3' } })
    expect(spec.container?.capabilities).toMatchObject({ bounding: 32, permitted: 32, inheritable: 0 })
    expect(spec.container?.affinity).toEqual({ initial: [3] })
  })

  test('errors name the property of its own document', () => {
    expect(() => exec({ cwd: '/', args: [] })).toThrow('args: args must not be empty')
  })
})
