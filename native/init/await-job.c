/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool's process has executed its whole program except the command, and waits here for one message:
 * what to run. It has no right that the command will not have. The system call filter is not installed
 * yet, so the filter need not allow the wait.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../hutch.h"
#include "../lib/message.h"

#define STREAMS 3

/* The ops of an order that has just come: run_inner goes on with them. */
struct cursor ordered;

/*
 * Signals before the request are read and dropped, as PID 1 of a pid namespace would do. Later signals
 * are kept for the command.
 */
static int await_message(void)
{
	static const u64 all = ~0ull;
	struct pollfd either[2] = { { .fd = report_socket, .events = POLLIN }, { .events = POLLIN } };
	u32 info[32];	/* struct signalfd_siginfo */
	long err = sys(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, NSIG_BYTES);

	if (!err)
		err = sys(__NR_signalfd4, -1, &all, NSIG_BYTES, O_CLOEXEC);
	if (err < 0)
		return (int)err;
	either[1].fd = (int)err;
	/* unsaid, nobody would ever send an order */
	err = say(REPORT_READY, 0, READY_FOR_ORDER);
	while (err >= 0) {
		err = sys(__NR_ppoll, either, 2, NULL, NULL, NSIG_BYTES);
		if (err > 0 && either[0].revents)
			break;
		if (err > 0)
			err = sys(__NR_read, either[1].fd, info, sizeof info);
		if (err == -EINTR)
			err = 0;
	}
	sys(__NR_close, either[1].fd);
	return err < 0 ? (int)err : 0;
}

/* Those that came are standard streams now; the others stay what they were. */
static long place_streams(u32 streams, const int *fds, u32 count)
{
	u32 used = 0;
	long err = 0;

	if (streams >> STREAMS)
		return -EPROTO;
	for (int i = 0; i < STREAMS; i++) {
		if (!(streams >> i & 1))
			continue;
		if (used == count)
			return -EPROTO;
		if (err >= 0)
			err = sys(__NR_dup3, fds[used], i, 0);
		sys(__NR_close, fds[used++]);
	}
	return err < 0 ? err : used == count ? 0 : -EPROTO;
}

static int take_order(u8 *room)
{
	struct { size_t length; int level, type, fds[STREAMS], padding; } control = { 0 };
	struct iovec piece = { room, ORDER_BYTES_AT_MOST };
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
	};
	struct cursor order = { 0 };
	u32 streams, head = offsetof(__typeof__(control), fds);
	long got;

	do
		got = sys(__NR_recvmsg, report_socket, &message, MSG_CMSG_CLOEXEC);
	while (got == -EINTR);
	if (got <= 0)	/* an end of file: hutch is gone */
		return got < 0 ? (int)got : -EOWNERDEAD;
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
	order.at = room;
	order.end = order.at + got;
	streams = take_u32(&order);
	if (order.bad)
		return -EPROTO;
	got = place_streams(streams, control.fds,
			    message.msg_controllen > head ? (u32)(control.length - head) / sizeof(int) : 0);
	if (!got)
		ordered = order;
	return (int)got;
}

int op_await_order(struct cursor *c)
{
	long room, err = finished(c);

	/* a job of the same user could else trace this one, and be what it becomes */
	if (!err)
		err = sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (err)
		return (int)err;
	room = sys(__NR_mmap, NULL, ORDER_BYTES_AT_MOST, K_PROT_READ | K_PROT_WRITE, K_MAP_PRIVATE | K_MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)room > -4096ul)
		return (int)room;
	err = await_message();
	return err ? (int)err : take_order((u8 *)room);
}
