/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals all processes of a job. With a group, these are the group's processes. Without a group,
 * hutch-init signals those of its pid namespace. Without either, they are the command's
 * descendants.
 */
#include <linux/errno.h>
#include <signal.h>

#include "../hutch.h"

/*
 * Kills all processes. cgroup.kill kills the whole tree at once, including forks in progress.
 * Without it, the listed processes are killed one by one until none are left.
 */
int kill_all(const struct strings *procs, const char *kill_file)
{
	const char *path = procs->first;
	int count = 0;

	/* the kill file is set only after the op `wait` */
	if (kill_file && *kill_file && write_text(kill_file, "1") == 0)
		return 0;
	for (u32 i = 0; i < procs->count; i++, path = next_string(path))
		signal_listed(path, SIGKILL, 0, &count);
	return 0;
}

/*
 * Signals a job without a group. hutch-init itself gets no signal: as PID 1 it receives a request,
 * otherwise it would end or forward the signal twice.
 */
static long signal_ungrouped(const struct outer *o, int sig)
{
	if (sig && o->reaps && (o->cloned & CLONE_NEWPID) && send_request(o->pid, o->pidfd, sig) == 0)
		return 0;
	if (sig && signal_tree(o->pid, sig, !o->reaps) > 0)
		return 0;
	return signal_child(o->pid, o->pidfd, sig);
}

/*
 * Signals all processes of the job except hutch-init: it forwards a plain signal, so the command
 * would get the signal twice.
 */
int outer_signal(struct outer *o, int sig)
{
	int count = 0;
	long err;

	if (o->procs.count == 0)
		return (int)signal_ungrouped(o, sig);
	err = signal_listed(o->procs.first, sig, o->reaps ? o->pid : 0, &count);
	/*
	 * alone, hutch-init cannot forward the signal yet and may be waiting for the network; on v1
	 * it may not have joined its group yet
	 */
	if (sig && (count == 0 || (o->reaps && count == 1)))
		err = signal_child(o->pid, o->pidfd, sig);
	return (int)err;
}

int outer_kill(struct outer *o)
{
	kill_all(&o->procs, o->kill_file);
	/* when PID 1 ends, the kernel ends its pid namespace */
	if (o->procs.count == 0 && !(o->cloned & CLONE_NEWPID))
		kill_below(o->pid);
	return (int)signal_child(o->pid, o->pidfd, SIGKILL);
}
