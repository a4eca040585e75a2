// SPDX-License-Identifier: Apache-2.0
// The properties of the OCI runtime specification 1.3 for Linux, each with what shows that a runtime follows it.
import { existsSync, readlinkSync } from 'node:fs'
import { arch } from 'node:process'
import { syscallNumbers } from '../../../src/seccomp/arch.ts'

type Changes = { [path: string]: unknown }

/** A container that a runtime runs: the program prints something that follows from the properties. */
export interface Runs {
  properties: string
  changes: Changes
  /** For the shell of busybox. */
  program: string
  /** What the program prints. */
  prints: string | RegExp
  /** First version of the specification that has the properties; 1.0 by default. */
  since?: '1.1' | '1.2' | '1.3'
  /** What runc does instead. */
  runc?: string
}

/** A configuration that hutch refuses on each host, or on a host without a feature. */
interface Refused {
  properties: string
  changes: Changes
  refused: RegExp
}

/** Properties that other tests try. */
interface Tested {
  properties: string
  tested: string
  /** The title of the test, or of a group of tests, which then has the last word of each property. */
  titled: string
  /** Why there is no container here that shows them. */
  because: string
}

type Row = Runs | Refused | Tested

const all = ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_SYS_ADMIN', 'CAP_SYS_NICE', 'CAP_SETUID', 'CAP_SETGID']
const own = (name: string) => readlinkSync(`/proc/self/ns/${name}`)
const namespaces = ['mount', 'pid', 'ipc', 'uts', 'network']
const withNamespaces = (...more: object[]) => ({
  'linux.namespaces': [...namespaces.map((type) => ({ type })), ...more],
})
const map = [{ containerID: 0, hostID: 100_000, size: 1000 }]
const mounts = (...more: object[]) => ({
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
    ...more,
  ],
})
const v1orV2 = (v1: string, v2: string) =>
  `cat /sys/fs/cgroup/${v1} 2>/dev/null || cat /sys/fs/cgroup/unified/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v2}`

/** A group of cgroup v1 has no time for realtime tasks unless it is given. */
const realtimeGroup = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')
  ? { 'linux.resources': { cpu: { realtimeRuntime: 10_000 } } }
  : {}

/** All system calls of this machine. */
const allCalls = [...syscallNumbers(arch === 'arm64' ? 'aarch64' : 'x86_64').keys()]

/** A hook that writes to a file. On the host, the runner prints that file after the program's output. */
const hook = (name: string, log = '@LOG@') => [
  { path: '/bin/sh', args: ['sh', '-c', `echo ${name} $A >> ${log}`], env: ['A=env'], timeout: 9 },
]

const process: Row[] = [
  { properties: 'ociVersion process process.args', changes: {}, program: 'echo word', prints: 'word' },
  { properties: 'process.cwd', changes: { 'process.cwd': '/data' }, program: 'pwd', prints: '/data' },
  {
    properties: 'process.env',
    changes: { 'process.env': ['PATH=/bin', 'A=b c'] },
    program: 'echo "$A"',
    prints: 'b c',
  },
  {
    properties: 'process.terminal process.consoleSize .height .width',
    tested: 'test/container/process.test.ts',
    titled: 'the command has a new terminal, whose master a socket receives',
    because: 'a terminal needs a console socket',
  },
  {
    properties: 'process.user .uid .gid .additionalGids',
    changes: { 'process.user': { uid: 1000, gid: 100, additionalGids: [7, 8] } },
    program: 'id -u; id -g; id -G',
    prints: '1000\n100\n100 7 8',
  },
  {
    properties: 'process.user.umask',
    changes: { 'process.user': { uid: 0, gid: 0, umask: 0o27 } },
    program: 'umask',
    prints: '0027',
    since: '1.1',
  },
  {
    properties: 'process.rlimits .type .soft .hard',
    changes: { 'process.rlimits': [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 88 }] },
    program: 'ulimit -Sn; ulimit -Hn',
    prints: '77\n88',
  },
  {
    properties: 'process.capabilities .bounding .effective .permitted .inheritable .ambient',
    changes: {
      'process.user': { uid: 1, gid: 1 },
      'process.capabilities': {
        bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD'],
        permitted: ['CAP_CHOWN', 'CAP_KILL'],
        effective: ['CAP_CHOWN'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      },
    },
    program: 'grep Cap /proc/self/status',
    // a user's exec leaves the ambient set in the permitted and effective ones
    prints: /^CapInh:\t0{14}20\nCapPrm:\t0{14}20\nCapEff:\t0{14}20\nCapBnd:\t0{8}08000021\nCapAmb:\t0{14}20$/,
  },
  {
    properties: 'process.noNewPrivileges',
    changes: { 'process.noNewPrivileges': true },
    program: 'grep NoNewPrivs /proc/self/status',
    prints: 'NoNewPrivs:\t1',
  },
  {
    properties: 'process.oomScoreAdj',
    changes: { 'process.oomScoreAdj': 555 },
    program: 'cat /proc/self/oom_score_adj',
    prints: '555',
  },
  {
    properties: 'process.scheduler .policy .nice .flags',
    changes: { 'process.scheduler': { policy: 'SCHED_BATCH', nice: 5, flags: ['SCHED_FLAG_RESET_ON_FORK'] } },
    // the fields of nice and policy in /proc/1/stat: 1 is the shell
    program: 'set -- $(cat /proc/1/stat); echo ${19} ${41}',
    prints: '5 3',
    since: '1.2',
  },
  {
    properties: 'process.scheduler .priority',
    changes: { 'process.scheduler': { policy: 'SCHED_FIFO', priority: 5 }, ...realtimeGroup },
    // the fields of priority, realtime priority and policy
    program: 'set -- $(cat /proc/1/stat); echo ${18} ${40} ${41}',
    prints: '-6 5 1',
    since: '1.2',
  },
  {
    properties: 'process.scheduler .runtime .deadline .period',
    changes: {
      'process.scheduler': {
        policy: 'SCHED_DEADLINE',
        // the kernel lets no other process with a deadline fork
        flags: ['SCHED_FLAG_RESET_ON_FORK'],
        runtime: 1_000_000,
        deadline: 20_000_000,
        period: 50_000_000,
      },
    },
    program:
      'set -- $(cat /proc/1/stat); echo ${41}; grep -E "^dl.(runtime|deadline|period)" /proc/1/sched | tr -s " "',
    // a kernel without the file sched shows only the policy
    prints: /^6(\n|$)/,
    since: '1.2',
  },
  {
    properties: 'process.scheduler .runtime .deadline',
    changes: { 'process.scheduler': { policy: 'SCHED_DEADLINE', runtime: 30_000_000, deadline: 20_000_000 } },
    program: 'true',
    prints:
      /sched_setattr|scheduling attributes.*\(EINVAL\); requested by process\.scheduler; remedy: .*runtime ≤ deadline/,
    since: '1.2',
  },
  {
    properties: 'process.ioPriority .class .priority',
    changes: { 'process.ioPriority': { class: 'IOPRIO_CLASS_BE', priority: 6 } },
    program: 'busybox ionice -p 1',
    prints: /best-effort: prio 6/,
    since: '1.2',
  },
  {
    properties: 'process.execCPUAffinity .initial .final',
    tested: 'test/oci/process-and-mounts.test.ts',
    titled: 'a process of exec runs on the processors of execCPUAffinity',
    because: 'it is only for processes of exec',
  },
  {
    properties: 'process.apparmorProfile',
    changes: { 'process.apparmorProfile': 'web' },
    refused: /apparmor failed to apply profile/,
  },
  {
    properties: 'process.selinuxLabel',
    changes: { 'process.selinuxLabel': 'a:b:c' },
    refused: /selinux label is specified in config, but selinux is disabled/,
  },
]

const files: Row[] = [
  { properties: 'root root.path', changes: {}, program: 'cat /data/marker', prints: 'image' },
  {
    properties: 'root.readonly',
    changes: { 'root.readonly': true },
    program: 'touch /x 2>&1 || echo refused',
    prints: /Read-only file system\nrefused/,
  },
  {
    properties: 'mounts .destination .type .source .options',
    changes: mounts(
      { destination: '/data/t', type: 'tmpfs', source: 'mine', options: ['nosuid', 'mode=0750', 'size=64k'] },
      { destination: '/data/b', type: 'none', source: 'from', options: ['rbind', 'ro'] },
    ),
    program: 'grep " /data/t " /proc/mounts; cat /data/b/file; touch /data/b/x 2>&1 || echo refused',
    prints: /^mine \/data\/t tmpfs rw,nosuid,relatime,size=64k,mode=750\S* 0 0\nbundle\n.*Read-only.*\nrefused$/,
  },
  {
    properties: 'mounts.uidMappings .containerID .hostID .size',
    tested: 'test/oci/process-and-mounts.test.ts',
    titled: 'idmap maps the ids of a mount, and ridmap also those of the mounts below',
    because: 'it needs a file system that can map ids',
  },
  {
    properties: 'mounts.gidMappings .containerID .hostID .size',
    tested: 'test/oci/process-and-mounts.test.ts',
    titled: 'idmap maps the ids of a mount, and ridmap also those of the mounts below',
    because: 'it needs a file system that can map ids',
  },
  {
    properties: 'linux.devices .type .path .major .minor .fileMode .uid .gid',
    changes: {
      'linux.devices': [
        { type: 'c', path: '/dev/a', major: 1, minor: 3, fileMode: 0o640, uid: 3, gid: 4 },
        { type: 'p', path: '/dev/p', fileMode: 0o600 },
      ],
    },
    program: 'stat -c "%F %a %u %g %t %T" /dev/a; stat -c "%F %a" /dev/p; stat -c %F /dev/null /dev/tty',
    prints: 'character special file 640 3 4 1 3\nfifo 600\ncharacter special file\ncharacter special file',
  },
  {
    properties: 'linux.maskedPaths',
    changes: { 'linux.maskedPaths': ['/proc/version', '/data', '/missing'] },
    program: 'cat /proc/version; ls /data; echo end',
    prints: 'end',
  },
  {
    properties: 'linux.readonlyPaths',
    changes: { 'linux.readonlyPaths': ['/data', '/missing'] },
    program: 'touch /data/x 2>&1 || echo refused',
    prints: /Read-only file system\nrefused/,
  },
  {
    properties: 'linux.rootfsPropagation',
    changes: { 'linux.rootfsPropagation': 'shared' },
    program: 'cat /proc/self/mountinfo',
    prints: / \/ \S+ shared:/,
    runc: 'the root stays private',
  },
  {
    properties: 'linux.mountLabel',
    changes: { 'linux.mountLabel': 'a:b' },
    refused: /selinux label is specified in config, but selinux is disabled/,
  },
]

const hooks: Row[] = [
  ...['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'].map(
    (name): Row => ({
      properties: `hooks hooks.${name} .path .args .env .timeout`,
      changes: { [`hooks.${name}`]: hook(name) },
      program: 'sleep 0.2; echo program',
      prints: `program\n${name} env`,
    }),
  ),
  {
    properties: 'hooks.startContainer .path .args .env .timeout',
    changes: { 'hooks.startContainer': hook('startContainer', '/log') },
    program: 'cat /log',
    prints: 'startContainer env',
  },
  {
    properties: 'annotations',
    changes: {
      annotations: { 'org.example.a': 'b' },
      'hooks.createRuntime': [{ path: '/bin/sh', args: ['sh', '-c', 'cat >> @LOG@'] }],
    },
    program: 'true',
    prints: /"org\.example\.a":\s?"b"/,
  },
]

const isolation: Row[] = [
  {
    properties: 'linux linux.namespaces .type .path',
    changes: {
      'linux.namespaces': [...namespaces.slice(0, 4).map((type) => ({ type })), { type: 'network', path: '@NET@' }],
    },
    program: 'for name in net user uts; do readlink /proc/self/ns/$name; done',
    prints: new RegExp(
      `^${own('net').replace(/[[\]]/g, '.')}\n${own('user').replace(/[[\]]/g, '.')}\n(?!${own('uts').replace(/[[\]]/g, '.')})`,
    ),
  },
  { properties: 'hostname', changes: { hostname: 'inner' }, program: 'hostname', prints: 'inner' },
  {
    properties: 'domainname',
    changes: { domainname: 'example.org' },
    program: 'cat /proc/sys/kernel/domainname',
    prints: 'example.org',
    since: '1.1',
  },
  {
    properties: 'linux.uidMappings .containerID .hostID .size linux.gidMappings .containerID .hostID .size',
    changes: { ...withNamespaces({ type: 'user' }), 'linux.uidMappings': map, 'linux.gidMappings': map },
    program: 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "',
    prints: ' 0 100000 1000\n 0 100000 1000',
  },
  {
    properties: 'linux.timeOffsets .secs .nanosecs',
    changes: {
      ...withNamespaces({ type: 'time' }),
      'linux.timeOffsets': { monotonic: { secs: 86400, nanosecs: 5 }, boottime: { secs: 7 } },
    },
    program: 'cat /proc/self/timens_offsets | tr -s " "',
    prints: 'monotonic 86400 5\nboottime 7 0',
    since: '1.2',
  },
  {
    properties: 'linux.netDevices .name',
    tested: 'test/oci/net-devices.test.ts',
    titled: 'a device keeps its global addresses, gets its name, and is up',
    because: 'it moves a device of the host',
  },
  {
    properties: 'linux.sysctl',
    changes: { 'linux.sysctl': { 'kernel.msgmax': '4242', 'net.ipv4.ip_forward': '1' } },
    program: 'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward',
    prints: '4242\n1',
  },
  {
    properties: 'linux.seccomp .defaultAction .architectures .syscalls',
    changes: {
      'linux.seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
        syscalls: [{ names: ['mkdir', 'mkdirat', 'no_such_call'], action: 'SCMP_ACT_ERRNO' }],
      },
    },
    program: 'mkdir /data/x 2>&1; grep Seccomp: /proc/self/status',
    prints: /Operation not permitted\nSeccomp:\t2/,
  },
  {
    properties: 'linux.seccomp.syscalls .names .action .errnoRet .args',
    changes: {
      'linux.seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
      },
    },
    program: 'mkdir /data/x 2>&1',
    prints: /No space left on device/,
  },
  {
    properties: 'linux.seccomp.syscalls.args .index .value .op .valueTwo',
    changes: {
      'linux.seccomp': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {
            names: ['mkdir'],
            action: 'SCMP_ACT_ERRNO',
            args: [{ index: 1, value: 0o777, valueTwo: 0o711, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
    },
    program: 'busybox mkdir -m 0711 /data/x 2>&1 || echo refused; busybox mkdir -m 0700 /data/y && echo made',
    prints: /made/,
  },
  {
    properties: 'linux.seccomp.flags',
    changes: { 'linux.seccomp': { defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_LOG'] } },
    program: 'grep Seccomp: /proc/self/status',
    prints: 'Seccomp:\t2',
    since: '1.1',
  },
  {
    properties: 'linux.seccomp.defaultErrnoRet',
    changes: {
      'linux.seccomp': {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 28,
        syscalls: [{ names: allCalls.filter((name) => !/^mkdir(at)?$/.test(name)), action: 'SCMP_ACT_ALLOW' }],
      },
    },
    program: 'mkdir /data/x 2>&1',
    prints: /No space left on device/,
  },
  {
    properties: 'linux.seccomp .listenerPath .listenerMetadata',
    tested: 'test/oci/descriptors.test.ts',
    titled: 'an agent gets the listener of the first process, and of one that exec starts',
    because: 'it needs an agent that answers system calls',
  },
  {
    properties: 'linux.personality .domain',
    changes: { 'linux.personality': { domain: 'LINUX32' } },
    program: 'uname -m',
    prints: /^(i686|armv8l)$/,
    since: '1.2',
  },
  {
    properties: 'linux.personality.flags',
    changes: { 'linux.personality': { domain: 'LINUX', flags: ['x'] } },
    refused: /linux\.personality\.flags/,
  },
  {
    properties: 'linux.memoryPolicy .mode .nodes .flags',
    changes: { 'linux.memoryPolicy': { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] } },
    program: 'grep -m1 -o bind=static:0 /proc/self/numa_maps',
    prints: 'bind=static:0',
    since: '1.3',
  },
  {
    properties: 'linux.intelRdt .closID .schemata .l3CacheSchema .memBwSchema .enableCMT .enableMBM .enableMonitoring',
    changes: { 'linux.intelRdt': { closID: 'a', schemata: ['MB:0=50'] } },
    refused: /intelRdt is specified in config, but Intel RDT is not enabled/,
  },
]

const resources: Row[] = [
  {
    properties: 'linux.cgroupsPath',
    changes: { 'linux.cgroupsPath': '@GROUP@' },
    program: 'grep -c "@GROUP@" /proc/self/cgroup',
    prints: /^[1-9]/,
  },
  {
    properties: 'linux.resources .memory .pids linux.resources.memory.limit linux.resources.pids.limit',
    changes: { 'linux.resources': { memory: { limit: 67_108_864 }, pids: { limit: 33 } }, ...withGroups() },
    program: `${v1orV2('memory/memory.limit_in_bytes', 'memory.max')}; ${v1orV2('pids/pids.max', 'pids.max')}`,
    prints: '67108864\n33',
  },
  {
    properties: 'linux.resources.cpu .shares .quota .period .cpus',
    changes: {
      'linux.resources': { cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: '0' } },
      ...withGroups(),
    },
    program: `${v1orV2('cpu/cpu.cfs_quota_us', 'cpu.max')}; ${v1orV2('cpuset/cpuset.cpus', 'cpuset.cpus')}`,
    prints: /^50000( 100000)?\n0$/,
  },
  {
    properties: 'linux.resources.devices .allow .type .major .minor .access',
    changes: {
      'linux.devices': [{ type: 'c', path: '/dev/z', major: 1, minor: 5, fileMode: 0o666 }],
      'linux.resources': {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 5, access: 'r' },
          { allow: false, type: 'c', major: 1, minor: 5, access: 'w' },
        ],
      },
    },
    program: 'head -c 1 /dev/z | wc -c',
    prints: '1',
  },
  {
    properties:
      'linux.resources.memory .reservation .swap .kernel .kernelTCP .swappiness .disableOOMKiller .useHierarchy',
    tested: 'test/unit/oci/resource-writes.test.ts',
    titled: 'v1',
    because: 'each is a file of the kernel that not all layouts have',
  },
  {
    properties: 'linux.resources.memory .checkBeforeUpdate',
    tested: 'test/oci/resources-runc.test.ts',
    titled: 'a limit below the use is refused, if the caller wants the check',
    because: 'it is for updates',
  },
  {
    properties: 'linux.resources.cpu .burst .realtimeRuntime .realtimePeriod .mems .idle',
    tested: 'test/unit/oci/resource-writes.test.ts',
    titled: 'v1',
    because: 'each is a file of the kernel that not all layouts have',
  },
  {
    properties:
      'linux.resources.blockIO .weight .leafWeight .weightDevice .throttleReadBpsDevice .throttleWriteBpsDevice .throttleReadIOPSDevice .throttleWriteIOPSDevice',
    tested: 'test/unit/oci/resource-writes.test.ts',
    titled: 'v1',
    because: 'it needs a block device',
  },
  ...['throttleReadBpsDevice', 'throttleWriteBpsDevice', 'throttleReadIOPSDevice', 'throttleWriteIOPSDevice'].map(
    (name): Row => ({
      properties: `linux.resources.blockIO.${name} .major .minor .rate`,
      tested: 'test/unit/oci/resource-writes.test.ts',
      titled: 'v1',
      because: 'it needs a block device',
    }),
  ),
  {
    properties: 'linux.resources.blockIO.weightDevice .major .minor .weight .leafWeight',
    tested: 'test/unit/oci/resource-writes.test.ts',
    titled: 'v1',
    because: 'it needs a block device',
  },
  {
    properties:
      'linux.resources .hugepageLimits .network .rdma .unified linux.resources.hugepageLimits .pageSize .limit linux.resources.network .classID .priorities linux.resources.network.priorities .name .priority linux.resources.rdma .hcaHandles .hcaObjects',
    tested: 'test/unit/oci/resource-writes.test.ts',
    titled: 'v1',
    because: 'each is a file of the kernel that not all layouts have',
  },
]

function withGroups(): Changes {
  return mounts(
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
  )
}

export const rows: readonly Row[] = [...process, ...files, ...hooks, ...isolation, ...resources]

/** Returns the names in a row's properties. A word that begins with a dot is a property of the last whole name. */
export function namesOf(properties: string): string[] {
  let last = ''
  return properties.split(' ').map((word) => {
    if (word.startsWith('.')) return `${last}${word}`
    last = word
    return word
  })
}

/** The document that a container of the rows has without changes. `image` is the root. */
export function baseDocument(image: string): { [path: string]: unknown } {
  return {
    root: { path: image },
    'process.env': ['PATH=/bin'],
    'process.capabilities': { bounding: all, permitted: all, effective: all },
    ...withNamespaces(),
    ...mounts(),
  }
}
