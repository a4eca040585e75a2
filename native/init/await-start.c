/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for the start of a container, after everything but its command is set up. The process that
 * created it may have ended. The process that starts it connects to a listening socket, sends GO,
 * and then receives the reports. The filter is installed after this wait, so it need not allow it.
 */
#include <linux/errno.h>
#include <linux/prctl.h>
#include <sys/socket.h>

#include "../hutch.h"
#include "../lib/message.h"

/* Waits for a connection over which GO comes. A connection that is closed without GO is ignored. */
static long accept_start(int listener, int creator)
{
	long fd, err;

	for (;;) {
		err = await_input(listener, creator);
		if (err)
			return err;
		fd = sys(__NR_accept4, listener, NULL, NULL, K_SOCK_CLOEXEC);
		if (fd == -ECONNABORTED || fd == -EINTR || fd == -EAGAIN)
			continue;
		if (fd < 0 || await_go((int)fd) == 0)
			return fd;
		sys(__NR_close, fd);
	}
}

int op_await_start(struct cursor *c)
{
	u32 listener = take_u32(c), ends_with_creator = take_u32(c);
	long fd, err = finished(c);

	/*
	 * undumpable: another command that enters the container must not trace this process and
	 * take its descriptors (CVE-2016-9962)
	 */
	if (!err)
		err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* fails if the creator has ended: then nobody knows of this container */
	if (!err)
		err = say(REPORT_READY, 0, READY_FOR_START);
	if (err < 0)
		return (int)err;
	fd = accept_start((int)listener, ends_with_creator ? report_socket : -1);
	if (fd < 0)
		return (int)fd;
	sys(__NR_close, listener);
	sys(__NR_close, report_socket);
	report_socket = (int)fd;
	return 0;
}
