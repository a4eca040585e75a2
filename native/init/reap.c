/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs PID 1: forwards signals to the command, reaps every orphan, and ends when the command has
 * ended. The kernel then kills the remaining processes of the pid namespace.
 */
#include <linux/audit.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../hutch.h"
#include "../lib/message.h"

#define SIGNAL_BIT(sig) (1ull << ((sig) - 1))
/* Milliseconds to wait for a signal that the kernel is sending to the processes of a process group one by one. */
#define SAME_SIGNAL_MS 20

/* True if the job's process group has the caller's terminal: stops of the command are then reported to hutch. */
static int tells_stops;
static int own_pid;
/* True after hutch announced that it stops the job (REQUEST_STOP). */
static int stopping;
/* Bit set of the signals that the terminal sent since the last stop of the job. */
static u64 typed;

/*
 * Reaps ended children. Returns true if the command itself has ended, and sets *end to its exit
 * status and memory usage. If a signal stopped the command, sets *stopped to that signal.
 */
static int reap_all(int command, struct report *end, int *stopped)
{
	struct rusage usage;
	int one, ended = 0;
	long pid;

	while (!ended && (pid = sys(__NR_wait4, -1, &one, WNOHANG | __WALL | (tells_stops ? WUNTRACED : 0), &usage)) > 0) {
		if (pid != command)
			continue;
		if (WIFSTOPPED(one)) {
			*stopped = WSTOPSIG(one);
			continue;
		}
		end->value = one;
		end->max_rss = (u32)usage.ru_maxrss;
		ended = 1;
	}
	return ended;
}

#define ALLOW(call, rest) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, rest, 0)

/*
 * Restricts this process to the system calls used below. A command that can write to its memory
 * (CAP_SYS_PTRACE) could otherwise let it make calls that the command's own filter forbids. This
 * process cannot use the command's filter, which may forbid the calls used below.
 */
long confine_reaper(void)
{
	struct sock_filter calls[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 0, 8),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_futex, 7),
		ALLOW(__NR_rt_sigtimedwait, 6),
		ALLOW(__NR_wait4, 5),
		ALLOW(__NR_kill, 4),
		ALLOW(__NR_fstatfs, 3),
		ALLOW(__NR_sendto, 2),
		ALLOW(__NR_exit_group, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof calls / sizeof *calls, calls };

	return sys(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

/*
 * Reports each full file system to hutch once. Repeated reports would let a process inside fill the
 * socket by sending requests.
 */
static void report_full(void)
{
	static u32 reported;
	u32 full = full_spaces() & ~reported;

	if (full)
		say(REPORT_FULL, full, 0);
	reported |= full;
}

/* Handles a request from hutch. Returns 0 if the signal is not a request. */
static int obey(long sig, const struct kernel_siginfo *info)
{
	if (sig != REQUEST_SIGNAL || info->code != REQUEST_CODE)
		return 0;
	if (info->value == REQUEST_STOP) {
		stopping = 1;
		report_full();
	} else if (own_pid == 1) {
		/*
		 * kill(-1) signals all other processes of the pid namespace at once, including
		 * forks in progress; without a pid namespace, it would signal the whole machine
		 */
		sys(__NR_kill, -1, info->value);
	}
	return 1;
}

/*
 * Checks the system calls by which this process notices the command's end. Returns the error of a
 * call that is refused, otherwise 0.
 */
static long check_waits(void)
{
	struct { long long s, ns; } now = { 0, 0 };
	u64 none = 0;
	long err = sys(__NR_wait4, -1, NULL, WNOHANG | __WALL, NULL);

	if (err < 0 && err != -ECHILD)
		return err;
	err = sys(__NR_rt_sigtimedwait, &none, NULL, &now, NSIG_BYTES);
	return err == -EAGAIN ? 0 : err;
}

/*
 * Blocks signals before the filter is installed. Sets *early to the signals that had arrived before
 * the command existed.
 */
long begin_reaping(u64 *early)
{
	own_pid = (int)sys(__NR_getpid);
	tells_stops = sys(__NR_getpgid, 0) == own_pid && sys(__NR_getsid, 0) != own_pid;
	*early = 0;
	sys(__NR_rt_sigpending, early, NSIG_BYTES);
	return check_waits();
}

/* Waits up to `ms` milliseconds for the signal with this si_code. */
static int has_come(int sig, int code, int ms)
{
	struct { long long s, ns; } most = { 0, ms * 1000000ll };
	u64 set = SIGNAL_BIT(sig);
	struct kernel_siginfo info;

	return sys(__NR_rt_sigtimedwait, &set, &info, &most, NSIG_BYTES) == sig && info.code == code;
}

static int is_typed(int sig)
{
	return (typed & SIGNAL_BIT(sig)) || has_come(sig, K_SI_KERNEL, SAME_SIGNAL_MS);
}

/*
 * Reports a stop of the command. If the socket is full, the report is dropped, so the command
 * cannot block this process.
 */
static void report_stopped(int sig)
{
	struct report report = { .kind = REPORT_STOPPED, .value = sig, .step = (u32)is_typed(sig) };

	typed = 0;
	transmit(report_socket, &report, sizeof report, K_MSG_DONTWAIT | K_MSG_NOSIGNAL);
}

static void obey_pending(void)
{
	struct { long long s, ns; } now = { 0, 0 };
	u64 requests = SIGNAL_BIT(REQUEST_SIGNAL);
	struct kernel_siginfo info;
	long sig;

	while ((sig = sys(__NR_rt_sigtimedwait, &requests, &info, &now, NSIG_BYTES)) > 0)
		obey(sig, &info);
}

/*
 * Reaps the remaining processes after the command has ended during a stop. They have received
 * SIGTERM and may run until hutch sends SIGKILL.
 */
static void reap_rest(void)
{
	struct kernel_siginfo info;
	u64 all = ~0ull;
	long pid;

	for (;;) {
		do
			pid = sys(__NR_wait4, -1, NULL, WNOHANG | __WALL, NULL);
		while (pid > 0);
		if (pid < 0)
			return;
		obey(sys(__NR_rt_sigtimedwait, &all, &info, NULL, NSIG_BYTES), &info);
	}
}

int reap(int command, u64 early)
{
	struct kernel_siginfo info;
	u64 all = ~0ull;
	struct report end = { .kind = REPORT_EXITED };
	int status, stopped = 0;
	long sig;

	disarm_fault();
	while (!reap_all(command, &end, &stopped)) {
		if (stopped)
			report_stopped(stopped);
		stopped = 0;
		sig = sys(__NR_rt_sigtimedwait, &all, &info, NULL, NSIG_BYTES);
		if (sig <= 0 || sig == SIGCHLD || obey(sig, &info))
			continue;
		if (info.code == TYPED_CODE) {
			sys(__NR_kill, 0, sig);
			continue;
		}
		/* the kill(0) above also signals this process: read that signal now */
		if (info.code == K_SI_USER && info.pid == own_pid)
			continue;
		if (info.code == K_SI_KERNEL)
			typed |= SIGNAL_BIT(sig);
		/*
		 * the terminal signals the whole foreground process group, so a command that
		 * existed has already received the signal
		 */
		if (info.code != K_SI_KERNEL || early >> (sig - 1) & 1)
			sys(__NR_kill, command, sig);
		early &= ~(1ull << (sig - 1));
	}
	status = end.value;
	end.step = full_spaces();
	sig = status & 0x7f;
	end.typed = tells_stops && (sig == SIGINT || sig == SIGQUIT) && is_typed((int)sig);
	say_all(&end);
	obey_pending();
	if (stopping)
		reap_rest();
	sys(__NR_exit_group, (status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	__builtin_unreachable();
}
