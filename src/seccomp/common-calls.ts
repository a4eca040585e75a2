// SPDX-License-Identifier: Apache-2.0
// Lists system calls that every program may need, and that do not depend on capabilities. Both of hutch's profiles
// allow them. Pure.
import type { Group } from './rule-builders.ts'
import { is } from './rule-builders.ts'

/** Allowed arguments of personality(2): PER_LINUX and PER_LINUX32, each also with UNAME26, and the value that only queries. */
const harmlessPersonalities = [0x0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff]

export const commonCalls: readonly Group[] = [
  {
    why: 'reading and writing open files',
    calls: `read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close close_range
      dup dup2 dup3 fcntl fcntl64 flock fsync fdatasync sync syncfs sync_file_range sync_file_range2 arm_sync_file_range
      sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64 arm_fadvise64_64
      truncate truncate64 ftruncate ftruncate64 fallocate cachestat`,
  },
  {
    why: 'file names and attributes',
    calls: `open openat openat2 creat access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64
      newfstatat oldstat oldlstat oldfstat statx statfs statfs64 fstatfs fstatfs64 ustat getdents getdents64 readdir readlink readlinkat
      getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat rename renameat renameat2
      chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat umask
      utime utimes utimensat utimensat_time64 futimesat mknod mknodat`,
  },
  {
    why: 'extended attributes, and flags of files',
    calls: `getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr
      flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat file_getattr file_setattr`,
  },
  {
    why: 'file notifications, except fanotify, which can block other processes',
    calls: 'inotify_init inotify_init1 inotify_add_watch inotify_rm_watch',
  },
  {
    why: 'wait for events on descriptors, and create event descriptors',
    calls: `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
      epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime
      timerfd_settime64 timerfd_gettime timerfd_gettime64 pipe pipe2 io_setup io_destroy io_submit io_cancel
      io_getevents io_pgetevents io_pgetevents_time64`,
  },
  {
    why: "the process's own memory",
    calls: `brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall
      memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect mseal map_shadow_stack remap_file_pages membarrier`,
  },
  {
    why: 'processes and threads: fork without flags; clone is allowed or refused by its flags',
    calls: `fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp
      getsid setsid setpgid set_tid_address set_robust_list get_robust_list rseq rseq_slice_yield futex futex_time64 futex_waitv futex_wake
      futex_wait futex_requeue sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr
      sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max
      sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority nice
      ioprio_get ioprio_set getcpu getrusage times getrlimit ugetrlimit setrlimit prlimit64 arch_prctl modify_ldt
      set_thread_area get_thread_area set_tls get_tls cacheflush breakpoint prctl seccomp restart_syscall uprobe uretprobe`,
  },
  {
    why: 'pidfds: refer to a process by a descriptor; copying a descriptor of another process needs ptrace rights',
    calls: 'pidfd_open pidfd_send_signal process_mrelease',
  },
  {
    why: 'signals',
    calls: `kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo
      rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 sigaction sigpending sigprocmask sigreturn
      sigsuspend signal sigaltstack pause alarm`,
  },
  {
    why: 'reading the time, and timers',
    calls: `time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
      clock_nanosleep_time64 nanosleep getitimer setitimer timer_create timer_settime timer_settime64 timer_gettime
      timer_gettime64 timer_getoverrun timer_delete`,
  },
  {
    why: 'user and group ids: the kernel refuses ids that the process may not have',
    calls: `getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
      getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
      setresuid setresuid32 setresgid setresgid32 setgroups setgroups32 setfsuid setfsuid32 setfsgid setfsgid32
      capget capset`,
  },
  {
    why: 'use of sockets; a rule for socket(2) decides which kinds can be created',
    calls: `socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown
      send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64`,
  },
  {
    why: 'System V and POSIX queues, semaphores and shared memory, which the ipc namespace holds',
    calls: `shmget shmat shmdt shmctl semget semop semctl semtimedop semtimedop_time64 msgget msgsnd msgrcv msgctl
      mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify
      mq_getsetattr`,
  },
  { why: 'information about the system', calls: 'uname olduname oldolduname sysinfo getrandom' },
  {
    why: 'rules that a process applies to itself',
    calls: 'landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_get_self_attr lsm_list_modules',
  },
  {
    why: 'personalities that disable only address randomisation, as debuggers and some language runtimes do',
    calls: 'personality',
    when: harmlessPersonalities.map((value) => [is(0, value)]),
  },
]
