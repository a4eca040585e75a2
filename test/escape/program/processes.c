// SPDX-License-Identifier: Apache-2.0
/* Other processes: those outside by their numbers there, and hutch's own PID 1 inside. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attempt.h"

static int try_ptrace(char **arguments)
{
	return ptrace(PTRACE_SEIZE, atoi(arguments[0]), NULL, NULL) < 0 ? -1 : 0;
}

/* Signal 0 asks for the right alone. */
static int try_kill(char **arguments)
{
	return kill(atoi(arguments[0]), 0);
}

/* One byte at an address that is never mapped: past the right that is EFAULT. */
static int try_write_memory(char **arguments)
{
	char byte = 0;
	struct iovec own = { &byte, 1 }, other = { (void *)8, 1 };

	return probe(process_vm_writev(atoi(arguments[0]), &own, 1, &other, 1, 0), EFAULT);
}

static int try_read_memory(char **arguments)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%s/mem", arguments[0]);
	return open(path, O_RDWR) < 0 ? -1 : 0;
}

static int try_compare(char **arguments)
{
	return syscall(SYS_kcmp, getpid(), atoi(arguments[0]), 1, 0, 0) < 0 ? -1 : 0;
}

static int try_take_descriptor(char **arguments)
{
	int process = (int)syscall(SYS_pidfd_open, atoi(arguments[0]), 0);

	return process < 0 || syscall(SYS_pidfd_getfd, process, 1, 0) < 0 ? -1 : 0;
}

static int try_limits(char **arguments)
{
	struct rlimit limit;
	int pid = atoi(arguments[0]);

	if (prlimit(pid, RLIMIT_CORE, NULL, &limit))
		return -1;
	return prlimit(pid, RLIMIT_CORE, &limit, NULL);
}

static int try_other_nice(char **arguments)
{
	int pid = atoi(arguments[0]);

	errno = 0;
	getpriority(PRIO_PROCESS, (id_t)pid);
	return errno ? -1 : setpriority(PRIO_PROCESS, (id_t)pid, 1);
}

/* `/proc/PID/NAME` leads to what that process has: its root, its working directory, its program, its descriptors. */
static int try_proc(char **arguments)
{
	char path[512];

	snprintf(path, sizeof path, "/proc/%s/%s", arguments[0], arguments[1]);
	return open(path, O_RDONLY) < 0 ? -1 : 0;
}

/*
 * The program of PID 1 is overwritten, so that the next container starts
 * something else (CVE-2019-5736): by its link in /proc, kept open for reading
 * until nothing executes it any more.
 */
static int try_overwrite(char **arguments)
{
	char path[64], again[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%s/exe", arguments[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
	return probe(open(again, O_WRONLY), ETXTBSY);
}

const struct attempt process_attempts[] = {
	{ "ptrace", try_ptrace },
	{ "kill", try_kill },
	{ "write-memory", try_write_memory },
	{ "read-memory", try_read_memory },
	{ "compare", try_compare },
	{ "take-descriptor", try_take_descriptor },
	{ "limits", try_limits },
	{ "other-nice", try_other_nice },
	{ "proc", try_proc },
	{ "overwrite", try_overwrite },
	{ 0 },
};
