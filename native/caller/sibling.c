/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a child that continues as another child of this process (inner op continueAsSibling). Only
 * a new process is inside a pid namespace that was joined or unshared.
 */
#include <linux/errno.h>
#include <signal.h>

#include "../hutch.h"

static void drop(int pid)
{
	while (sys(__NR_wait4, pid, NULL, K_WALL, NULL) == -EINTR)
		;
}

/*
 * Replaces the child by its sibling. Does nothing if the child failed before: its report is read at
 * its end. Both are children of this process and not reaped before, so no pid is reused.
 */
int op_follow_sibling(struct outer *o, struct cursor *c)
{
	struct report report;
	char go = GO_BYTE;
	long got, fd, err = finished(c);

	if (err)
		return (int)err;
	do
		got = receive(o->report_fd, &report, sizeof report, K_MSG_PEEK);
	while (got == -EINTR);
	if (got != (long)sizeof report || report.kind != REPORT_SIBLING)
		return 0;
	receive(o->report_fd, &report, sizeof report, 0);
	drop(o->pid);
	fd = sys(__NR_pidfd_open, report.value, 0);
	if (o->pidfd >= 0)
		sys(__NR_close, o->pidfd);
	o->pid = report.value;
	o->pidfd = (int)fd;
	if (fd < 0)
		return (int)fd;
	got = transmit(o->report_fd, &go, 1, K_MSG_NOSIGNAL);
	/* EPIPE, ECONNRESET: it has ended already, which is reported as its end */
	return got < 0 && got != -EPIPE && got != -ECONNRESET ? (int)got : 0;
}
