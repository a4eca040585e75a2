/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for the job of a prestarted sandbox of a pool. The sandbox has run its whole program except
 * the command, and receives the job in one message. It holds only the rights that the command will
 * have. The seccomp filter is installed after this wait, so it need not allow the wait.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../hutch.h"
#include "../lib/message.h"

/* The ops of the received job, with which run_inner continues. */
struct cursor ordered;

/*
 * Waits for the message with the job. Signals that arrived earlier are discarded, as they would be
 * for PID 1 of a pid namespace. Later signals stay pending for the command.
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
	/* without this report (READY), hutch would never send a job */
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

/* Moves a descriptor that has the number of a stream. */
int move_descriptor(int *fd, u32 streams)
{
	long moved;

	if (*fd < 0 || *fd >= (int)streams)
		return 0;
	moved = sys(__NR_fcntl, *fd, F_DUPFD_CLOEXEC, streams);
	if (moved < 0)
		return (int)moved;
	sys(__NR_close, *fd);
	*fd = (int)moved;
	return 0;
}

/* Frees the numbers of the streams above the standard ones: moves what hutch-init still needs, and the received descriptors. */
static int make_way(u32 streams, int *fds, u32 count)
{
	int err = move_descriptor(&report_socket, streams);

	if (!err)
		err = move_spaces(streams);
	for (u32 i = 0; !err && i < count; i++)
		err = move_descriptor(&fds[i], streams);
	return err;
}

/* Moves the received descriptors to the streams. A stream for which none was sent stays as it is. */
static long place_streams(u32 streams, int *fds, u32 count)
{
	u32 used = 0;
	long err = 0;

	while (stream_count < MAX_STREAMS && streams >> stream_count)
		stream_count++;
	if (stream_count > STANDARD_STREAMS)
		err = make_way(stream_count, fds, count);
	for (u32 i = 0; i < stream_count; i++) {
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
	struct { size_t length; int level, type, fds[MAX_STREAMS], padding; } control = { 0 };
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
	if (got <= 0)	/* end of file: the hutch that would send a job has ended */
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

	/* undumpable: otherwise a job of the same user could trace this sandbox and take it over */
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
