/* SPDX-License-Identifier: Apache-2.0 */
/* Names the system calls that hutch makes, for error messages. */
#include "../hutch.h"

#ifdef __NR_rmdir
#define RMDIR(X) X(rmdir)
#else
#define RMDIR(X)
#endif

#define CALLS(X) RMDIR(X) X(flock) X(getpgid) X(getrandom) X(getsid) X(gettid) X(pwrite64) X(setpgid) \
	X(tgkill) X(timer_create) X(timer_delete) X(timer_settime) \
	X(accept4) X(bpf) X(capget) X(capset) X(chdir) X(chroot) X(clock_gettime) X(clock_nanosleep) \
	X(clone) X(clone3) X(close_range) X(dup3) X(eventfd2) X(execve) X(execveat) X(faccessat) X(fchdir) \
	X(fchmod) X(fchmodat) X(fchown) X(fchownat) X(fcntl) X(fsconfig) X(fsmount) X(fsopen) X(fstatfs) X(futex) X(getcwd) \
	X(getdents64) X(getegid) X(geteuid) X(getpid) X(getppid) X(inotify_add_watch) X(ioctl) X(ioprio_set) \
	X(keyctl) X(kill) X(landlock_add_rule) X(landlock_create_ruleset) X(landlock_restrict_self) X(lseek) \
	X(memfd_create) X(mkdirat) X(mknodat) X(mmap) X(mount) X(mount_setattr) X(move_mount) X(nanosleep) \
	X(open_tree) X(openat) X(openat2) X(personality) X(pidfd_send_signal) X(pipe2) X(pivot_root) X(ppoll) X(prctl) X(prlimit64) \
	X(pread64) X(pidfd_open) X(read) X(readlinkat) X(recvfrom) X(recvmsg) X(rt_sigaction) X(rt_sigpending) X(rt_sigprocmask) X(rt_sigqueueinfo) \
	X(rt_sigtimedwait) X(sched_getaffinity) X(sched_setaffinity) X(sched_setattr) X(sched_setscheduler) X(seccomp) X(sendmsg) X(sendto) \
	X(set_mempolicy) X(setdomainname) X(setfsgid) X(setfsuid) X(setgid) X(setgroups) X(sethostname) X(setns) X(setpriority) X(setregid) \
	X(setresgid) X(setresuid) X(setreuid) X(setsid) X(setuid) X(signalfd4) X(socket) X(socketpair) \
	X(statfs) X(statx) X(symlinkat) X(umask) X(umount2) X(uname) X(unlinkat) X(unshare) X(utimensat) X(wait4) X(waitid) \
	X(write)

/* Returns the name of a call, or "" if the number is not in the list. */
const char *call_name(u32 number)
{
	switch (number) {
#define NAME(name) case __NR_##name: return #name;
	CALLS(NAME)
#undef NAME
	}
	return "";
}
