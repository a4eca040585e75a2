/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1: passes signals to the command, reaps every orphan, ends when the
 * command has ended. The kernel then kills what is left in the pid namespace.
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

#define SI_KERNEL_CODE 0x80

/* True when the command itself has ended, its status and memory in *end. */
static int reap_all(int command, struct report *end)
{
	struct rusage usage;
	int one, ended = 0;
	long pid;

	while (!ended && (pid = sys(__NR_wait4, -1, &one, WNOHANG | __WALL, &usage)) > 0) {
		if (pid != command)
			continue;
		end->value = one;
		end->max_rss = (u32)usage.ru_maxrss;
		ended = 1;
	}
	return ended;
}

#define ALLOW(call, rest) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, rest, 0)

/*
 * From here on this process can do no more than what is below: a command that
 * may write its memory (CAP_SYS_PTRACE) could else do by it what its own filter
 * forbids. That filter is not for this one: it may forbid just this.
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

/* Each is told once: who is inside could else fill the socket by asking. */
static void tell_full(u32 *told)
{
	u32 full = full_spaces() & ~*told;

	if (full)
		say(REPORT_FULL, full, 0);
	*told |= full;
}

/* Those that came before there was a command. */
u64 signals_waiting(void)
{
	u64 waiting = 0;

	sys(__NR_rt_sigpending, &waiting, NSIG_BYTES);
	return waiting;
}

int reap(int command, u64 early)
{
	struct kernel_siginfo info;
	u64 all = ~0ull;
	struct report end = { .kind = REPORT_EXITED };
	u32 told = 0;
	int status;
	long sig;

	disarm_fault();
	while (!reap_all(command, &end)) {
		sig = sys(__NR_rt_sigtimedwait, &all, &info, NULL, NSIG_BYTES);
		if (sig == LOOK_SIGNAL && info.code == LOOK_CODE) {
			tell_full(&told);
			continue;
		}
		if (sig <= 0 || sig == SIGCHLD)
			continue;
		/* what a terminal sends goes to the whole foreground group: the command has it already, if it was there */
		if (info.code != SI_KERNEL_CODE || early >> (sig - 1) & 1)
			sys(__NR_kill, command, sig);
		early &= ~(1ull << (sig - 1));
	}
	end.step = full_spaces();
	say_all(&end);
	status = end.value;
	sys(__NR_exit_group, (status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	__builtin_unreachable();
}
