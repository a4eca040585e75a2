/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1: passes signals to the command, reaps every orphan, ends when the
 * command has ended. The kernel then kills what is left in the pid namespace.
 */
#include <linux/errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../hutch.h"

#define SI_KERNEL_CODE 0x80

/* True when the command itself has ended, its status and memory in *end. */
static int reap_all(int command, struct report *end, int options)
{
	struct rusage usage;
	int one, ended = 0;
	long pid;

	while (!ended && (pid = sys(__NR_wait4, -1, &one, options | __WALL, &usage)) > 0) {
		if (pid != command)
			continue;
		end->value = one;
		end->max_rss = (u32)usage.ru_maxrss;
		ended = 1;
	}
	return ended;
}

int reap(int command)
{
	struct kernel_siginfo info;
	u64 all = ~0ull;
	struct report end = { .kind = REPORT_EXITED };
	int status, options = WNOHANG;
	long sig;

	while (!reap_all(command, &end, options)) {
		/* nor may it wait: there is nothing left that it could do */
		if (!options)
			sys(__NR_exit_group, 125);
		sig = sys(__NR_rt_sigtimedwait, &all, &info, NULL, NSIG_BYTES);
		/* a filter of the command's forbids it: then this only waits, and passes nothing on */
		if (sig < 0 && sig != -EINTR)
			options = 0;
		/* what a terminal sends goes to the whole foreground group: the command has it already */
		if (sig > 0 && sig != SIGCHLD && info.code != SI_KERNEL_CODE)
			sys(__NR_kill, command, sig);
	}
	say_all(&end);
	status = end.value;
	sys(__NR_exit_group, (status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
	__builtin_unreachable();
}
