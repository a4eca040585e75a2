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
 * Kills all processes of a job. A write to cgroup.kill kills the whole tree of groups at once,
 * including forks in progress. Without that file, kills the listed processes one by one.
 */
int kill_all(const struct strings *procs, const char *kill_file)
{
	const char *path = procs->first;
	int count = 0;

	/* is NULL before the op `wait` has stored its path */
	if (kill_file && *kill_file && write_text(kill_file, "1") == 0)
		return 0;
	for (u32 i = 0; i < procs->count; i++, path = next_string(path))
		signal_listed(path, SIGKILL, 0, &count);
	return 0;
}

/*
 * Signals a job without a group. hutch-init as PID 1 receives a request instead of the signal;
 * otherwise only its descendants are signalled. The signal itself would end hutch-init, or
 * hutch-init would forward it a second time.
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
 * Signals all processes of the job except hutch-init. hutch-init would forward the signal, so the
 * command would receive it twice.
 */
int outer_signal(struct outer *o, int sig)
{
	int count = 0;
	long err;

	if (o->procs.count == 0)
		return (int)signal_ungrouped(o, sig);
	err = signal_listed(o->procs.first, sig, o->reaps ? o->pid : 0, &count);
	/*
	 * if hutch-init is the group's only process, it is signalled: it may still be starting. If
	 * no process is listed, hutch-init may not have joined its v1 group yet.
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
