// SPDX-License-Identifier: Apache-2.0
// Defines the seccomp profile `default`: the system calls that Docker and Podman allow, with the additions for each
// capability. A program that runs in their containers also runs under this profile.
import { capabilityNumbers as cap } from '../credentials/capability.ts'
import { commonCalls } from './common-calls.ts'
import { errnos, type Profile, refuseWith } from './profile.ts'
import { below, bitsClear, type Group, is, rulesOf } from './rule-builders.ts'

/**
 * The flags CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of clone(2). NEWTIME is missing, because
 * in clone(2) its bit belongs to the exit signal.
 */
export const namespaceFlags = 0x7e02_0000

/** The address family AF_VSOCK, whose sockets reach the hypervisor from every network namespace. */
const vsock = 40
const laterFamilies = [41, 42, 43, 44, 45]

const having = (...capabilities: number[]) => ({ includes: { capabilities } })

export const defaultGroups: readonly Group[] = [
  ...commonCalls,
  {
    why: 'devices and terminals: /dev decides which exist',
    calls: 'ioctl',
  },
  {
    why: 'every socket except those to the hypervisor',
    calls: 'socket',
    when: [[below(0, vsock)], ...laterFamilies.map((family) => [is(0, family)])],
  },
  {
    why: "memory policies, process memory and tracing; the kernel restricts them to the job's own processes",
    calls: `ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp name_to_handle_at
      get_mempolicy mbind set_mempolicy set_mempolicy_home_node`,
  },
  {
    why: 'threads and processes in the existing namespaces',
    calls: 'clone',
    when: [[bitsClear(0, namespaceFlags)]],
    excludes: { capabilities: [cap.SYS_ADMIN] },
  },
  {
    why: 'the flags of clone3 are in memory, which a filter cannot read; after ENOSYS, programs use clone',
    calls: 'clone3',
    action: refuseWith(errnos.ENOSYS),
    excludes: { capabilities: [cap.SYS_ADMIN] },
  },
  {
    why: 'namespaces, mounts and the machine',
    calls: `clone clone3 unshare setns mount umount umount2 fsopen fsconfig fsmount fspick open_tree open_tree_attr
      move_mount mount_setattr pivot_root statmount listmount listns bpf perf_event_open fanotify_init fanotify_mark lookup_dcookie
      quotactl quotactl_fd sethostname setdomainname lsm_set_self_attr`,
    ...having(cap.SYS_ADMIN),
  },
  {
    why: 'file handles: open_by_handle_at bypasses directory permissions',
    calls: 'open_by_handle_at',
    ...having(cap.DAC_READ_SEARCH),
  },
  { why: 'a root', calls: 'chroot', ...having(cap.SYS_CHROOT) },
  { why: 'programs in the kernel', calls: 'bpf', ...having(cap.BPF) },
  { why: 'counters', calls: 'perf_event_open', ...having(cap.PERFMON) },
  { why: 'placing memory of other processes', calls: 'migrate_pages move_pages', ...having(cap.SYS_NICE) },
  { why: 'accounting', calls: 'acct', ...having(cap.SYS_PACCT) },
  { why: 'modules', calls: 'init_module finit_module delete_module', ...having(cap.SYS_MODULE) },
  { why: 'the end', calls: 'reboot kexec_load kexec_file_load', ...having(cap.SYS_BOOT) },
  { why: 'ports', calls: 'iopl ioperm', ...having(cap.SYS_RAWIO) },
  {
    why: 'clocks',
    calls: 'settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime clock_adjtime64',
    ...having(cap.SYS_TIME),
  },
  { why: 'terminals of other users', calls: 'vhangup', ...having(cap.SYS_TTY_CONFIG) },
  { why: "the kernel's messages", calls: 'syslog', ...having(cap.SYSLOG) },
]

export const defaultProfile: Profile = {
  architectures: ['x86', 'arm'],
  defaultAction: refuseWith(errnos.EPERM),
  rules: rulesOf(defaultGroups),
  flags: 0,
}
