// SPDX-License-Identifier: Apache-2.0
/* Namespaces, mounts and roots: made anew inside, or those of others entered. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attempt.h"

/* <sys/mount.h> beside <linux/mount.h> defines things twice. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

#define FLAG_REMOUNT 32
#define FLAG_BIND 4096
#define FLAG_PRIVATE (1 << 18 | 16384)

/* Mounts of this process alone, so that what gets through reaches nobody; where that is refused, those that it has. */
static void own_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, FLAG_PRIVATE, NULL))
		cannot_try("private mounts");
}

static int try_unshare(char **arguments)
{
	return unshare((int)strtol(arguments[0], NULL, 16));
}

static int try_clone3(char **arguments)
{
	struct {
		unsigned long long flags, rest[7];
	} args = { .flags = strtoul(arguments[0], NULL, 16) };
	long pid;

	args.rest[3] = 17;
	pid = syscall(SYS_clone3, &args, 64);
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

/* Namespaces of a process, by its /proc directory. */
static int try_setns(char **arguments)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%s/ns/%s", arguments[0], arguments[1]);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	return setns(fd, 0);
}

/* A file system of this type at /tmp. */
static int try_mount(char **arguments)
{
	own_mounts();
	return mount("hutch-test", "/tmp", arguments[0], 0, arguments[1]);
}

/* What hides or protects a path is taken away, made writable, or covered. */
static int try_umount(char **arguments)
{
	own_mounts();
	return umount2(arguments[0], 2);
}

static int try_remount(char **arguments)
{
	own_mounts();
	return mount(NULL, arguments[0], NULL, FLAG_REMOUNT | FLAG_BIND, NULL);
}

static int try_bind(char **arguments)
{
	own_mounts();
	return mount(arguments[0], arguments[1], NULL, FLAG_BIND, NULL);
}

static int try_pivot_root(char **arguments)
{
	(void)arguments;
	own_mounts();
	return probe(syscall(SYS_pivot_root, "/", "/"), EBUSY);
}

static int try_fsopen(char **arguments)
{
	(void)arguments;
	return syscall(SYS_fsopen, "tmpfs", 0) >= 0 ? 0 : -1;
}

static int try_open_tree(char **arguments)
{
	(void)arguments;
	return syscall(SYS_open_tree, AT_FDCWD, "/proc", 1) >= 0 ? 0 : -1;
}

static int try_move_mount(char **arguments)
{
	(void)arguments;
	own_mounts();
	return probe(syscall(SYS_move_mount, -1, "", AT_FDCWD, "/tmp", 4), EBADF);
}

static int try_mount_setattr(char **arguments)
{
	unsigned long long attr[4] = { 0, 1 };

	own_mounts();
	return syscall(SYS_mount_setattr, AT_FDCWD, arguments[0], 0, attr, sizeof attr) ? -1 : 0;
}

/* The classic: a second root below the first, and up from a directory that was kept. Through when a file of the host appears. */
static int try_chroot(char **arguments)
{
	mkdir("/tmp/hutch-chroot", 0700);
	if (chdir("/"))
		cannot_try("chdir");
	if (chroot("/tmp/hutch-chroot"))
		return -1;
	for (int i = 0; i < 64; i++)
		if (chdir(".."))
			return -1;
	if (chroot("."))
		return -1;
	return access(arguments[0], F_OK);
}

/* Up from descriptors that whoever started this may have left open, and from the working directory (CVE-2024-21626). */
static int try_descriptors(char **arguments)
{
	char path[512];

	snprintf(path, sizeof path, "./../../../../../../../../..%s", arguments[0]);
	if (access(path, F_OK) == 0)
		return 0;
	for (int fd = 0; fd < 1024; fd++) {
		if (faccessat(fd, path, F_OK, 0) == 0)
			return 0;
		snprintf(path, sizeof path, "/proc/self/fd/%d/../../../../../../../../..%s", fd, arguments[0]);
		if (access(path, F_OK) == 0)
			return 0;
		snprintf(path, sizeof path, "./../../../../../../../../..%s", arguments[0]);
	}
	errno = ENOENT;
	return -1;
}

/* By number instead of by name: the root directory of the file system, which lies above the container's (shocker). */
static int try_handle(char **arguments)
{
	struct {
		struct file_handle head;
		unsigned char bytes[8];
	} handle = { .head = { .handle_bytes = 8, .handle_type = 1 }, .bytes = { 2 } };
	int at = open("/", O_RDONLY | O_DIRECTORY);

	(void)arguments;
	if (at < 0)
		cannot_try("/");
	return probe(open_by_handle_at(at, &handle.head, O_RDONLY), ESTALE);
}

static int try_handle_name(char **arguments)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} handle = { .head = { .handle_bytes = 128 } };
	int id;

	return probe(name_to_handle_at(AT_FDCWD, arguments[0], &handle.head, &id, 0), EOPNOTSUPP);
}

const struct attempt name_attempts[] = {
	{ "unshare", try_unshare },
	{ "clone3", try_clone3 },
	{ "setns", try_setns },
	{ "mount", try_mount },
	{ "umount", try_umount },
	{ "remount", try_remount },
	{ "bind", try_bind },
	{ "pivot-root", try_pivot_root },
	{ "fsopen", try_fsopen },
	{ "open-tree", try_open_tree },
	{ "move-mount", try_move_mount },
	{ "mount-setattr", try_mount_setattr },
	{ "chroot", try_chroot },
	{ "descriptors", try_descriptors },
	{ "handle", try_handle },
	{ "handle-name", try_handle_name },
	{ 0 },
};
