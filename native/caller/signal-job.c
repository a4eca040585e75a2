/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends signals to all processes of a job. These are the processes of its groups; without a group,
 * those of its pid namespace, through hutch-init. Without either, they are the descendants of the
 * command.
 */
#include <linux/errno.h>
#include <signal.h>

#include "../hutch.h"

/* cgroup.kill takes the whole tree at once, forks in flight included; without it, each process in turn until none is left. */
int kill_all(const struct strings *procs, const char *kill_file)
{
	const char *path = procs->first;
	int count = 0;

	/* it does not exist before `wait` has reported it */
	if (kill_file && *kill_file && write_text(kill_file, "1") == 0)
		return 0;
	for (u32 i = 0; i < procs->count; i++, path = next_string(path))
		signal_listed(path, SIGKILL, 0, &count);
	return 0;
}

/* hutch-init itself gets no signal: as PID 1 it requests them, elsewhere it would end, or pass them on a second time. */
static long signal_ungrouped(const struct outer *o, int sig)
{
	if (sig && o->reaps && (o->cloned & CLONE_NEWPID) && send_request(o->pid, o->pidfd, sig) == 0)
		return 0;
	if (sig && signal_tree(o->pid, sig, !o->reaps) > 0)
		return 0;
	return signal_child(o->pid, o->pidfd, sig);
}

/* To all processes of the job. hutch-init passes a plain signal on itself, so it gets none: its command would get it twice. */
int outer_signal(struct outer *o, int sig)
{
	int count = 0;
	long err;

	if (o->procs.count == 0)
		return (int)signal_ungrouped(o, sig);
	err = signal_listed(o->procs.first, sig, o->reaps ? o->pid : 0, &count);
	/*
	 * without children it cannot pass the signal on, and may be waiting for the network; on v1 it may not
	 * be in its group yet
	 */
	if (sig && (count == 0 || (o->reaps && count == 1)))
		err = signal_child(o->pid, o->pidfd, sig);
	return (int)err;
}

int outer_kill(struct outer *o)
{
	kill_all(&o->procs, o->kill_file);
	/* the end of PID 1 is the end of its namespace */
	if (o->procs.count == 0 && !(o->cloned & CLONE_NEWPID))
		kill_below(o->pid);
	return (int)signal_child(o->pid, o->pidfd, SIGKILL);
}
