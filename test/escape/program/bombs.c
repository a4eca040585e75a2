// SPDX-License-Identifier: Apache-2.0
/* Too much of a thing, up to a number that a machine can bear: through when all of it was had. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"

#define PIECE (1 << 20)

static char piece[PIECE];

static int fill(int fd, int megabytes)
{
	memset(piece, 1, sizeof piece);
	for (int i = 0; i < megabytes; i++)
		for (long left = PIECE, n; left; left -= n) {
			n = write(fd, piece, (size_t)left);
			if (n <= 0)
				return -1;
		}
	return 0;
}

static int try_memory(char **arguments)
{
	size_t size = (size_t)atoi(arguments[0]) * PIECE;
	char *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return -1;
	memset(all, 1, size);
	return 0;
}

/* Memory that is a file without a name. */
static int try_memfd(char **arguments)
{
	int fd = memfd_create("bomb", 0);

	return fd < 0 ? -1 : fill(fd, atoi(arguments[0]));
}

/* A file of so many megabytes at a path. */
static int try_file(char **arguments)
{
	int fd = open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		cannot_try(arguments[1]);
	return fill(fd, atoi(arguments[0]));
}

/* Bytes that were sent and that nobody reads. */
static int try_sockets(char **arguments)
{
	int pair[2], size = 8 << 20, got = 0, megabytes = atoi(arguments[0]);

	memset(piece, 1, sizeof piece);
	while (got < megabytes * 16) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
			return -1;
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		while (write(pair[0], piece, 1 << 16) == 1 << 16)
			got++;
	}
	return 0;
}

/* So many children at once, each of which waits; a zombie flood lets them end and does not look. */
static int children(int count, int ended)
{
	int started = 0, saved, hold[2];

	if (pipe(hold))
		cannot_try("pipe");
	for (; started < count; started++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			char byte;

			close(hold[1]);
			if (!ended && read(hold[0], &byte, 1) < 0)
				_exit(1);
			_exit(0);
		}
	}
	saved = errno;
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	errno = saved;
	return started == count ? 0 : -1;
}

static int try_fork(char **arguments)
{
	return children(atoi(arguments[0]), 0);
}

static int try_zombies(char **arguments)
{
	return children(atoi(arguments[0]), 1);
}

static int try_open_files(char **arguments)
{
	for (int i = 0; i < atoi(arguments[0]); i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return -1;
	return 0;
}

/* Groups of notices: a user has 128 by the kernel's own figure, shared with whoever else is that user. */
static int try_inotify(char **arguments)
{
	for (int i = 0; i < atoi(arguments[0]); i++)
		if (inotify_init1(IN_CLOEXEC) < 0)
			return -1;
	return 0;
}

const struct attempt bomb_attempts[] = {
	{ "memory", try_memory },
	{ "memfd", try_memfd },
	{ "file", try_file },
	{ "sockets", try_sockets },
	{ "fork", try_fork },
	{ "zombies", try_zombies },
	{ "open-files", try_open_files },
	{ "inotify", try_inotify },
	{ 0 },
};
