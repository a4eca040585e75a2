/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connects this process's standard streams with the terminal of a command: receiveTerminal,
 * followTerminal. The command's own terminal does what its keys mean, so that of the caller passes
 * on every byte unchanged (raw mode) until the command ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "job.h"

static void copy_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

/*
 * receiveTerminal(socket): waits for a message with the master of a terminal, which gets the size of
 * the caller's terminal. Returns the master close-on-exec, or -errno.
 */
static napi_value export_receive_terminal(napi_env env, napi_callback_info info)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	char text[4096];
	struct iovec piece = { text, sizeof text };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	int fd, err = read_arguments(env, info, "i", &fd);
	struct cmsghdr *head;
	ssize_t got;

	if (err)
		return to_number(env, err);
	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return to_number(env, -errno);
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return to_number(env, -EPROTO);
	memcpy(&fd, CMSG_DATA(head), sizeof fd);
	copy_size(fd);
	return to_number(env, fd);
}

/* Bytes that wait to be written. */
struct buffer {
	char bytes[8192];
	size_t from, to;
};

/* Reads into an empty buffer. Returns 0 at the end of the data, for a terminal also after all its users have closed it. */
static int fill(int fd, struct buffer *b)
{
	ssize_t got = read(fd, b->bytes, sizeof b->bytes);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	b->from = 0;
	b->to = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static int drain(int fd, struct buffer *b)
{
	ssize_t put = write(fd, b->bytes + b->from, b->to - b->from);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR;
	b->from += (size_t)put;
	return 1;
}

/* Copies in both directions until the process has ended and its output is written. */
static int copy_streams(int master, int pidfd)
{
	struct buffer in = { .to = 0 }, out = { .to = 0 };
	int input = 1, ended = 0;

	for (;;) {
		int holds_in = in.from < in.to, holds_out = out.from < out.to;
		struct pollfd all[] = {
			{ .fd = input && !holds_in ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = master, .events = (short)((holds_out ? 0 : POLLIN) | (holds_in ? POLLOUT : 0)) },
			{ .fd = holds_out ? STDOUT_FILENO : -1, .events = POLLOUT },
			{ .fd = ended ? -1 : pidfd, .events = POLLIN },
		};
		int got = poll(all, 4, ended ? 0 : -1);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got < 0)	/* a signal: the size of the caller's terminal may have changed */
			copy_size(master);
		if (got < 0 || (got == 0 && !ended))
			continue;
		if (got == 0)
			return 0;
		if (all[0].revents)
			input = fill(STDIN_FILENO, &in);
		if (holds_in && all[1].revents & (POLLOUT | POLLHUP | POLLERR) && !drain(master, &in))
			in.from = in.to;
		if (!holds_out && all[1].revents & (POLLIN | POLLHUP | POLLERR) && !fill(master, &out))
			return 0;
		if (all[2].revents && !drain(STDOUT_FILENO, &out))
			out.from = out.to;
		ended |= all[3].revents != 0;
	}
}

/* followTerminal(master, pid): copies between a terminal and the standard streams until a child has ended; returns 0 or -errno */
static napi_value export_follow_terminal(napi_env env, napi_callback_info info)
{
	struct termios before, raw;
	int master, pid, pidfd, is_terminal, err = read_arguments(env, info, "ii", &master, &pid);

	if (err)
		return to_number(env, err);
	pidfd = (int)sys(__NR_pidfd_open, pid, 0);
	if (pidfd < 0)
		return to_number(env, pidfd);
	is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	if (is_terminal) {
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	err = copy_streams(master, pidfd);
	if (is_terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	close(pidfd);
	return to_number(env, err);
}

void add_console(napi_env env, napi_value exports)
{
	static const struct exported list[] = {
		{ "receiveTerminal", export_receive_terminal }, { "followTerminal", export_follow_terminal },
	};

	add_functions(env, exports, list, sizeof list / sizeof *list, NULL);
}
