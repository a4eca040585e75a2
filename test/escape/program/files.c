// SPDX-License-Identifier: Apache-2.0
/* Files of the kernel, devices, and rights that files give. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"

/* Opened only: nothing is written. */
static int try_write(char **arguments)
{
	return open(arguments[0], O_WRONLY) < 0 ? -1 : 0;
}

/* At least one byte comes: what is masked by an empty file or directory has none. */
static int try_read(char **arguments)
{
	char byte;
	int fd = open(arguments[0], O_RDONLY | O_NONBLOCK);
	long n = fd < 0 ? -1 : read(fd, &byte, 1);

	if (n == 0)
		errno = ENODATA;
	return n > 0 ? 0 : -1;
}

/* A name in a directory that only the host fills. */
static int try_find(char **arguments)
{
	return access(arguments[0], F_OK);
}

/* A node of TYPE MAJOR MINOR is made, and opened. */
static int try_node(char **arguments)
{
	mode_t type = *arguments[0] == 'b' ? S_IFBLK : S_IFCHR;
	const char *where = arguments[3];
	int fd;

	unlink(where);
	if (mknod(where, type | 0600, makedev((unsigned)atoi(arguments[1]), (unsigned)atoi(arguments[2]))))
		return -1;
	fd = open(where, O_RDONLY | O_NONBLOCK);
	unlink(where);
	return probe(fd, ENXIO);
}

/* A program that belongs to root and is set-user-ID, started by nobody: through when it runs as root. */
static int try_setuid(char **arguments)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		cannot_try("fork");
	if (pid == 0) {
		fclose(stdout);
		if (setgid(65534) || setuid(65534))
			_exit(errno == EPERM ? 3 : 2);
		execl(arguments[0], arguments[0], "who", NULL);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 2)
		cannot_try("set-user-ID program");
	/* who may not become nobody has nothing that such a program could give */
	if (WEXITSTATUS(status) == 3) {
		errno = EPERM;
		return -1;
	}
	errno = EPERM;
	return WEXITSTATUS(status) ? -1 : 0;
}

static int try_who(char **arguments)
{
	(void)arguments;
	errno = EPERM;
	return geteuid() == 0 ? 0 : -1;
}

/* A capability (by number) becomes ambient, so that any program has it. */
static int try_ambient(char **arguments)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, atoi(arguments[0]), 0, 0);
}

/* A limit of this process is raised above what it was given. */
static int try_raise(char **arguments)
{
	struct rlimit limit;
	int which = atoi(arguments[0]);

	getrlimit((__rlimit_resource_t)which, &limit);
	limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
	return setrlimit((__rlimit_resource_t)which, &limit);
}

const struct attempt file_attempts[] = {
	{ "write", try_write },
	{ "read", try_read },
	{ "find", try_find },
	{ "node", try_node },
	{ "setuid", try_setuid },
	{ "who", try_who },
	{ "ambient", try_ambient },
	{ "raise", try_raise },
	{ 0 },
};
