/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Divides the outer section between two processes. `detach` ends it in the process that starts the
 * child. `adopt` begins the rest in another process, which then waits for the child and cleans up.
 */
#include <linux/errno.h>
#include <linux/poll.h>

#include "../hutch.h"

/* Ends the outer section of the process that started the child. The child lives on when this process ends. */
int op_detach(struct outer *o, struct cursor *c)
{
	int err = finished(c);

	o->outlives = 1;
	return err ? err : 1;
}

/*
 * Takes over a process that another process started. The descriptor is opened before the start time
 * is compared, so it never refers to a process that reuses the pid.
 */
int op_adopt(struct outer *o, struct cursor *c)
{
	int pid = (int)take_u32(c), parent;
	u64 started = take_u64(c), found;
	long fd, err = finished(c);

	if (err)
		return (int)err;
	fd = sys(__NR_pidfd_open, pid, 0);
	if (fd < 0)
		return (int)fd;
	if (!read_process(pid, &parent, &found) || found != started) {
		sys(__NR_close, fd);
		return -ESRCH;
	}
	o->pid = pid;
	o->pidfd = (int)fd;
	o->started = o->outlives = 1;
	return 0;
}

/* Returns true if a process has ended, also if another process is its parent. */
int has_ended(int pidfd)
{
	struct pollfd one = { .fd = pidfd, .events = POLLIN };
	struct { long long s, ns; } now = { 0, 0 };

	return sys(__NR_ppoll, &one, 1, &now, NULL, NSIG_BYTES) > 0;
}
