// SPDX-License-Identifier: Apache-2.0
/* Too much of a thing, and then again: these never end by themselves, and no polite signal ends them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"

#define PIECE (1 << 20)

static char piece[PIECE];
static volatile int on = 1;

static void outlast(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

/* Each of them goes on, so that they double until there may be no more. */
static int try_endless_fork(char **arguments)
{
	(void)arguments;
	outlast();
	while (on)
		fork();
	return 0;
}

/* In large pages where there are some: the sooner it is full. */
static void take(long size)
{
	char *more = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (more == MAP_FAILED)
		return;
	madvise(more, (size_t)size, MADV_HUGEPAGE);
	for (long at = 0; at < size; at += 4096)
		more[at] = 1;
}

/* What is killed for it is started anew. */
static int try_endless_memory(char **arguments)
{
	(void)arguments;
	outlast();
	while (on) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				take(64 * PIECE);
		while (wait(NULL) > 0)
			;
	}
	return 0;
}

/* As many as the hard limit lets each of eight have. */
static int try_endless_open(char **arguments)
{
	struct rlimit limit;

	(void)arguments;
	outlast();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 3; i++)
		fork();
	while (on)
		open("/dev/null", O_RDONLY);
	return 0;
}

/* File after file in a directory, until nothing more goes in, and on. */
static int try_endless_disk(char **arguments)
{
	char path[256];

	outlast();
	memset(piece, 1, sizeof piece);
	for (int i = 0; on; i++) {
		int fd;

		snprintf(path, sizeof path, "%s/%d", arguments[0], i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		while (fd >= 0 && write(fd, piece, PIECE) > 0)
			;
		close(fd);
	}
	return 0;
}

static int try_endless_output(char **arguments)
{
	(void)arguments;
	outlast();
	memset(piece, 'x', sizeof piece);
	while (on)
		if (write(1, piece, PIECE) < 0)
			usleep(1000);
	return 0;
}

const struct attempt endless_attempts[] = {
	{ "endless-fork", try_endless_fork },
	{ "endless-memory", try_endless_memory },
	{ "endless-open", try_endless_open },
	{ "endless-disk", try_endless_disk },
	{ "endless-output", try_endless_output },
	{ 0 },
};
