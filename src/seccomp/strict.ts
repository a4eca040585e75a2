// SPDX-License-Identifier: Apache-2.0
// Defines the seccomp profile `strict` for untrusted programs. It does not depend on capabilities. A test ensures that
// each system call is allowed, or refused with a reason.
import { commonCalls } from './common-calls.ts'
import { namespaceFlags } from './default.ts'
import { errnos, type Profile, refuseWith } from './profile.ts'
import { bitsClear, type Group, hasBit, is, isInt, rulesOf } from './rule-builders.ts'

const families = { unix: 1, inet: 2, inet6: 10, netlink: 16 }
const netlinkRoute = 0

/** Requests of ioctl(2) that inject input into a terminal (TIOCSTI, TIOCLINUX) or load a line discipline (TIOCSETD). */
const terminalRequests = [0x5412, 0x541c, 0x5423]

/** IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN. */
const readNotices = [0x1, 0x10, 0x20]

/**
 * The mode bits S_ISUID and S_ISGID. A program file with such a bit runs with its owner's privileges, also outside of
 * the sandbox.
 */
const setIdBits = [0o4000, 0o2000]

/** Flags of open(2) that create a file with the given mode: O_CREAT, and O_TMPFILE without its O_DIRECTORY bit. */
const makesFile = [0x40, 0x40_0000]

/** System calls that set a file's mode, by the index of that argument. */
const modeCalls: readonly (readonly [index: number, calls: string])[] = [
  [1, 'chmod fchmod creat mkdir mknod'],
  [2, 'fchmodat fchmodat2 mkdirat mknodat'],
]

/** System calls that open a file, by the index of the argument for flags. The mode is the next argument. */
const openCalls: readonly (readonly [index: number, call: string])[] = [
  [1, 'open'],
  [2, 'openat'],
]

const setIdGroups: readonly Group[] = [
  ...modeCalls.map(([index, calls]) => ({
    why: 'the job leaves no set-user-ID or set-group-ID file for other users of the host',
    calls,
    action: refuseWith(errnos.EPERM),
    when: setIdBits.map((bit) => [hasBit(index, bit)]),
  })),
  ...openCalls.map(([index, calls]) => ({
    why: 'open creates no set-user-ID or set-group-ID file; without O_CREAT or O_TMPFILE the mode has no meaning',
    calls,
    action: refuseWith(errnos.EPERM),
    when: makesFile.flatMap((flag) => setIdBits.map((bit) => [hasBit(index, flag), hasBit(index + 1, bit)])),
  })),
  {
    why: 'the mode of openat2 is in memory, which a filter cannot read; after ENOSYS, programs use openat',
    calls: 'openat2',
    action: refuseWith(errnos.ENOSYS),
  },
]

/** Calls that `strict` refuses, by reason. */
export const left: { readonly [why: string]: string } = {
  'other processes: reading, changing and comparing them':
    'ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd move_pages migrate_pages',
  'namespaces and roots: new ones expose kernel code that only root could reach before':
    'unshare setns chroot pivot_root listns',
  mounts:
    'mount umount umount2 fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr statmount listmount',
  'keyrings, which have no namespace': 'add_key request_key keyctl',
  'parts of the kernel with many escapes':
    'bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd modify_ldt vmsplice remap_file_pages io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 memfd_secret',
  'memory placement: few programs use it, such as numactl(8)': 'mbind set_mempolicy set_mempolicy_home_node',
  'file handles bypass directory permissions': 'name_to_handle_at open_by_handle_at',
  'notifications that can block other processes': 'fanotify_init fanotify_mark',
  'the machine': `init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl quotactl_fd
    syslog sethostname setdomainname iopl ioperm vhangup settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime
    clock_adjtime64 lookup_dcookie lsm_set_self_attr`,
  obsolete:
    'uselib sysfs _sysctl nfsservctl get_kernel_syms query_module create_module ustat getpmsg putpmsg afs_syscall tuxcall security vserver epoll_ctl_old epoll_wait_old',
}

const leftOut = new Set(Object.values(left).flatMap((calls) => calls.trim().split(/\s+/)))

export const strictGroups: readonly Group[] = [
  ...commonCalls.map((group) => ({
    ...group,
    calls: group.calls
      .trim()
      .split(/\s+/)
      .filter((name) => !leftOut.has(name))
      .join(' '),
  })),
  { why: 'files and terminals', calls: 'ioctl' },
  {
    why: 'a job must not insert input into its terminal',
    calls: 'ioctl',
    action: refuseWith(errnos.EPERM),
    when: terminalRequests.map((request) => [isInt(1, request)]),
  },
  {
    why: 'local sockets, TCP and UDP; netlink for the list of addresses that getifaddrs(3) reads',
    calls: 'socket',
    when: [
      [is(0, families.unix)],
      [is(0, families.inet)],
      [is(0, families.inet6)],
      [is(0, families.netlink), is(2, netlinkRoute)],
    ],
  },
  {
    why: 'threads and processes in the existing namespaces',
    calls: 'clone',
    when: [[bitsClear(0, namespaceFlags)]],
  },
  {
    why: 'the flags of clone3 are in memory, which a filter cannot read; after ENOSYS, programs use clone',
    calls: 'clone3',
    action: refuseWith(errnos.ENOSYS),
  },
  {
    why: 'programs that query memory placement once (numactl, some language runtimes) fail if refused; it reveals only their own memory',
    calls: 'get_mempolicy',
  },
  {
    why: 'notifications of open, read and execute, also in host directories; watches for changes are allowed',
    calls: 'inotify_add_watch',
    action: refuseWith(errnos.EPERM),
    when: readNotices.map((bit) => [hasBit(2, bit)]),
  },
  ...setIdGroups,
]

export const strictProfile: Profile = {
  architectures: [],
  defaultAction: refuseWith(errnos.EPERM),
  rules: rulesOf(strictGroups),
  flags: 0,
}
