// SPDX-License-Identifier: Apache-2.0
// Seccomp profiles of the shapes that container engines and public lists have had since 2016: field names, conditions,
// capability rules and the newest call that each author knew. The names come from the kernel's own table. Pure.
import { syscallNumbers } from '../../src/seccomp/arch.ts'

export interface Shape {
  name: string
  profile: object
  /** Every program works under it. Unset: some fail, under runc as under hutch. */
  allWork?: true
  /** runc's result is not the right one, for this reason. */
  notAsRunc?: string
}

const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const own = machine === 'aarch64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'
const others = machine === 'aarch64' ? ['SCMP_ARCH_ARM'] : ['SCMP_ARCH_X86', 'SCMP_ARCH_X32']
const [allow, errno, kill, log] = ['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_LOG']

/** Calls that Linux had when a profile was written, by the number of the newest. */
const era = { linux45: 326, linux411: 332, linux418: 334, linux53: 435, linux58: 439, linux611: 462 }

const admin = [
  ...['bpf', 'clone3', 'fanotify_init', 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'mount', 'mount_setattr'],
  ...['move_mount', 'open_tree', 'perf_event_open', 'pivot_root', 'quotactl', 'setdomainname', 'sethostname', 'setns'],
  ...['umount2', 'unshare'],
]
const refused = [
  ...['acct', 'add_key', 'clock_settime', 'delete_module', 'finit_module', 'init_module', 'kexec_load', 'keyctl'],
  ...['personality', 'ptrace', 'reboot', 'request_key', 'settimeofday', 'swapoff', 'swapon', 'userfaultfd'],
]

/** Calls with numbers up to `newest`, less these. */
export function callsUpTo(newest: number, less: string[] = [...admin, ...refused, 'clone', 'socket']): string[] {
  return [...syscallNumbers(machine)]
    .filter(([name, number]) => number <= newest && !less.includes(name))
    .map(([name]) => name)
}

/** Calls newer than that. */
export function callsAfter(newest: number): string[] {
  return [...syscallNumbers(machine)].filter(([, number]) => number > newest).map(([name]) => name)
}

const condition = (index: number, op: string, value: number, valueTwo = 0) => ({
  index,
  value,
  valueTwo,
  op: `SCMP_CMP_${op}`,
})
const noNamespaces = [condition(0, 'MASKED_EQ', 0x7e020000)]
const personalities = (values: number[]) => values.map((value) => [condition(0, 'EQ', value)])

/** One entry for each call, and no circumstances. */
const byName = (newest: number) => [
  ...callsUpTo(newest, [...admin, ...refused, 'clone']).map((name) => ({ name, action: allow, args: [] })),
  ...personalities([0, 8, 0xffff_ffff]).map((args) => ({ name: 'personality', action: allow, args })),
  { name: 'clone', action: allow, args: noNamespaces },
]

/** Lists of calls, some of which hold for a capability, an instruction set or a kernel alone. */
const byCircumstances = (newest: number, socket: object[] = [{ names: ['socket'], action: allow }]) => [
  { names: callsUpTo(newest), action: allow, args: [], comment: '', includes: {}, excludes: {} },
  ...personalities([0, 8, 0x20000, 0x20008, 0xffff_ffff]).map((args) => ({
    names: ['personality'],
    action: allow,
    args,
    comment: '',
    includes: {},
    excludes: {},
  })),
  { names: ['ptrace'], action: allow, args: null, includes: { minKernel: '4.8' }, excludes: {} },
  { names: admin, action: allow, args: [], includes: { caps: ['CAP_SYS_ADMIN'] }, excludes: {} },
  { names: ['sync_file_range2'], action: allow, args: [], includes: { arches: ['ppc64le'] }, excludes: {} },
  {
    names: ['clone'],
    action: allow,
    args: noNamespaces,
    includes: {},
    excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390', 's390x'] },
  },
  ...socket,
]
const archMap = [
  { architecture: own, subArchitectures: others },
  { architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] },
]
const families = [
  { names: ['socket'], action: allow, args: [condition(0, 'LT', 38)] },
  { names: ['socket'], action: allow, args: [condition(0, 'EQ', 39)] },
  { names: ['socket'], action: allow, args: [condition(0, 'GT', 40)] },
]
const withoutAudit = [
  {
    names: ['socket'],
    action: errno,
    args: [condition(0, 'EQ', 16), condition(2, 'EQ', 9)],
    excludes: { caps: ['CAP_AUDIT_WRITE'] },
    errnoRet: 22,
    errno: 'EINVAL',
  },
  ...[condition(2, 'NE', 9), condition(0, 'NE', 16), condition(2, 'NE', 9)].map((one) => ({
    names: ['socket'],
    action: allow,
    args: [one],
    excludes: { caps: ['CAP_AUDIT_WRITE'] },
  })),
  { names: ['socket'], action: allow, args: null, includes: { caps: ['CAP_AUDIT_WRITE'] }, excludes: {} },
]
const architectures = [own, ...others]
const noClone3 = { names: ['clone3'], action: errno, args: [], errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] } }
const refusals = { names: [...admin, ...refused], action: errno, args: [], errnoRet: 1, errno: 'EPERM' }

export const shapes: Shape[] = [
  {
    name: 'an entry for each call, Linux 4.5 (Docker in 2016)',
    profile: { defaultAction: errno, architectures, syscalls: byName(era.linux45) },
    allWork: true,
  },
  {
    name: 'archMap and capabilities, Linux 4.11 (Docker in 2017)',
    profile: { defaultAction: errno, archMap, syscalls: byCircumstances(era.linux411) },
    allWork: true,
  },
  {
    name: 'archMap and capabilities, Linux 4.18 (Docker in 2019)',
    profile: { defaultAction: errno, archMap, syscalls: byCircumstances(era.linux418) },
    allWork: true,
  },
  {
    name: 'archMap and capabilities, Linux 5.8, clone3 for CAP_SYS_ADMIN alone (Docker in 2020)',
    profile: { defaultAction: errno, archMap, syscalls: byCircumstances(era.linux58) },
  },
  {
    name: "clone3 with ENOSYS, socket families (Docker's newest)",
    profile: {
      defaultAction: errno,
      defaultErrnoRet: 1,
      archMap,
      syscalls: [...byCircumstances(era.linux611, families), noClone3],
    },
    allWork: true,
  },
  {
    name: 'refusals with EPERM, default ENOSYS, errno by name (Podman since 2021)',
    profile: {
      defaultAction: errno,
      defaultErrnoRet: 38,
      defaultErrno: 'ENOSYS',
      // libseccomp 2.5 refuses the rules about sockets for several instruction sets
      architectures: [own],
      syscalls: [
        { ...refusals, names: refusals.names.filter((name) => name !== 'clone3') },
        { names: [...callsUpTo(era.linux58, [...admin, ...refused, 'socket']), 'clone3'], action: allow },
        ...withoutAudit,
      ],
    },
    allWork: true,
  },
  {
    name: 'clone and unshare for everybody, Linux 5.3 (Podman in 2019)',
    profile: {
      defaultAction: errno,
      archMap,
      syscalls: [{ names: callsUpTo(era.linux53, refused), action: allow, args: [] }, ...withoutAudit],
    },
    allWork: true,
  },
  {
    name: 'flat lists, Linux 4.11 (OCI run-times in 2018)',
    profile: {
      defaultAction: errno,
      architectures,
      syscalls: [{ names: callsUpTo(era.linux411, [...admin, ...refused]), action: allow }],
    },
    allWork: true,
  },
  {
    name: 'what is not listed kills, Linux 4.11 (allow-lists made by a trace in 2018)',
    profile: {
      defaultAction: kill,
      architectures,
      syscalls: [{ names: callsUpTo(era.linux411, [...admin, ...refused, 'personality']), action: allow }],
    },
    allWork: true,
  },
  {
    name: 'a browser with its own sandbox, an entry for each call, Linux 4.5 (2016)',
    profile: {
      defaultAction: errno,
      architectures,
      syscalls: [
        ...byName(era.linux45),
        ...['unshare', 'setns', 'clone', 'chroot'].map((name) => ({ name, action: allow, args: null })),
      ],
    },
    allWork: true,
  },
  {
    name: 'a list of what is refused, default allow (2016)',
    profile: {
      defaultAction: allow,
      architectures: [own],
      syscalls: ['chmod', 'fchmodat', 'mount', 'unshare', 'keyctl'].map((name) => ({ name, action: errno, args: [] })),
    },
    allWork: true,
  },
  {
    name: 'statx, faccessat2 and clone3 refused with EPERM by name (2020)',
    profile: {
      defaultAction: allow,
      syscalls: [{ names: ['statx', 'faccessat2', 'clone3'], action: errno }],
    },
  },
  {
    name: 'no list of instruction sets, Linux 4.18',
    profile: { defaultAction: errno, syscalls: byCircumstances(era.linux418) },
    allWork: true,
    notAsRunc: 'runc answers newer calls with EPERM where a profile lists no instruction set',
  },
  { name: 'nothing but a default that logs (Kubernetes, audit)', profile: { defaultAction: log }, allWork: true },
  {
    name: 'some calls logged, default errno, flags (Kubernetes, fine-grained)',
    profile: {
      defaultAction: errno,
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      architectures,
      syscalls: [
        { names: callsUpTo(era.linux418, [...admin, ...refused, 'uname']), action: allow },
        { names: ['uname'], action: log },
      ],
    },
    allWork: true,
  },
]
