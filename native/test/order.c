// SPDX-License-Identifier: Apache-2.0
/*
 * Tests a prestarted sandbox that waits for its job: the message, its streams, and other ways in
 * which the wait ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Replaces the variable of native/init/init.c, which is not linked here. */
int report_socket = -1;

long say(enum report_kind kind, u32 step, int value)
{
	struct report report = { .kind = kind, .step = step, .value = value };

	return sys(__NR_sendto, report_socket, &report, sizeof report, MSG_NOSIGNAL, NULL, 0);
}

/*
 * Runs the sandbox's side in a child process. Returns 0 if the received ops equal `wanted` and its
 * stdout is writable.
 */
static int be_ordered(int socket, const struct builder *wanted)
{
	struct cursor none = { 0 };
	int err;

	report_socket = socket;
	err = op_await_order(&none);
	if (err)
		return -err;
	if ((u64)(ordered.end - ordered.at) != wanted->size || memcmp(ordered.at, wanted->bytes, wanted->size))
		return 251;
	return write(1, "x", 1) == 1 && fcntl(1, F_GETFD) == 0 ? 0 : 252;
}

static void send_order(int socket, u32 streams, const void *ops, size_t size, const int *fds, u32 count)
{
	union { char bytes[CMSG_SPACE(3 * sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	struct iovec pieces[2] = { { &streams, sizeof streams }, { (void *)(uintptr_t)ops, size } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

	if (count) {
		struct cmsghdr *head = &control.align;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		*head = (struct cmsghdr){ CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	CHECK(sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)(sizeof streams + size));
}

struct attempt {
	u32 streams, descriptors;
	size_t longer;
	int wanted;
	int closes;	/* sends no request */
};

static void attempt(const struct attempt *a)
{
	struct builder *b = malloc(sizeof *b);
	struct report report = { 0 };
	int pair[2], out[2], status = 0;
	char *ops, byte = 0;
	pid_t child;
	u32 at;

	b->size = 0;
	at = begin(b, 37), put_string(b, "/usr"), end(b, at);
	ops = calloc(1, b->size + a->longer);
	memcpy(ops, b->bytes, b->size);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 && pipe2(out, O_CLOEXEC) == 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		_exit(be_ordered(pair[1], b));
	}
	close(pair[1]);
	CHECK(recv(pair[0], &report, sizeof report, 0) == sizeof report && report.kind == REPORT_READY);
	/* signals before the job are dropped */
	CHECK(kill(child, SIGTERM) == 0 && kill(child, SIGUSR1) == 0);
	usleep(1000);
	if (!a->closes)
		send_order(pair[0], a->streams, ops, b->size + a->longer, (int[]){ out[1], out[1], out[1] }, a->descriptors);
	close(pair[0]);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == a->wanted);
	if (a->wanted == 0)
		CHECK(read(out[0], &byte, 1) == 1 && byte == 'x');
	close(out[0]);
	close(out[1]);
	free(ops);
	free(b);
}

void test_order(void)
{
	static const u8 zeros[4];
	static const struct attempt attempts[] = {
		{ .streams = 2, .descriptors = 1 },
		{ .streams = 7, .descriptors = 3 },
		{ .closes = 1, .wanted = EOWNERDEAD },
		{ .streams = 2, .wanted = EPROTO },
		{ .descriptors = 1, .wanted = EPROTO },
		{ .streams = 3, .descriptors = 1, .wanted = EPROTO },
		{ .streams = 8, .wanted = EPROTO },
		{ .streams = 10, .descriptors = 2 },
		{ .streams = 1u << 31 | 2, .descriptors = 2 },
		{ .streams = 1u << 31 | 2, .descriptors = 1, .wanted = EPROTO },
		{ .streams = 2, .descriptors = 1, .longer = 4, .wanted = 251 },
		{ .streams = 2, .descriptors = 1, .longer = ORDER_BYTES_AT_MOST, .wanted = EMSGSIZE },
	};

	CHECK(op_await_order(&(struct cursor){ zeros, zeros + 4, 0 }) == -EPROTO);
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		attempt(&attempts[i]);
}
