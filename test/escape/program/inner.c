// SPDX-License-Identifier: Apache-2.0
/*
 * By way of a user namespace made inside, whose owner has every capability in
 * it: what the container's root lost must not come back with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		cannot_try(path);
	close(fd);
}

/* Root of a new user namespace, with mounts and `more` of its own. */
static int become_root(int more)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | more))
		return -1;
	put("/proc/self/uid_map", "0 0 1");
	put("/proc/self/setgroups", "deny");
	put("/proc/self/gid_map", "0 0 1");
	return mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
}

static int try_inner_umount(char **arguments)
{
	return become_root(0) || umount2(arguments[0], 2) ? -1 : 0;
}

static int try_inner_remount(char **arguments)
{
	return become_root(0) || mount(NULL, arguments[0], NULL, MS_REMOUNT | MS_BIND, NULL) ? -1 : 0;
}

/* A /proc without covers, of a new pid namespace; or a /sys, of a new network. */
static int try_inner_proc(char **arguments)
{
	pid_t pid;
	int status;

	(void)arguments;
	if (become_root(CLONE_NEWPID))
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(mount("proc", "/tmp", "proc", 0, NULL) ? errno : 0);
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int try_inner_sys(char **arguments)
{
	(void)arguments;
	return become_root(CLONE_NEWNET) || mount("sysfs", "/tmp", "sysfs", 0, NULL) ? -1 : 0;
}

static int try_inner_node(char **arguments)
{
	(void)arguments;
	if (become_root(0) || mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
		return -1;
	return mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1));
}

/* The limit of the group that holds this process, by a cgroup file system of its own: TYPE, OPTIONS, FILE, VALUE. */
static int try_inner_raise(char **arguments)
{
	char path[256];
	int fd;

	if (become_root(CLONE_NEWCGROUP) || mount("cgroup", "/tmp", arguments[0], 0, *arguments[1] ? arguments[1] : NULL))
		return -1;
	snprintf(path, sizeof path, "/tmp/%s", arguments[2]);
	fd = open(path, O_WRONLY);
	if (fd < 0 && errno == ENOENT)
		cannot_try(path);
	return fd < 0 || write(fd, arguments[3], strlen(arguments[3])) < 0 ? -1 : 0;
}

const struct attempt inner_attempts[] = {
	{ "inner-umount", try_inner_umount },
	{ "inner-remount", try_inner_remount },
	{ "inner-proc", try_inner_proc },
	{ "inner-sys", try_inner_sys },
	{ "inner-node", try_inner_node },
	{ "inner-raise", try_inner_raise },
	{ 0 },
};
