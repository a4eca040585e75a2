// SPDX-License-Identifier: Apache-2.0
/* The job's own control groups as /sys/fs/cgroup shows them: written, removed from their place, or reached by another way. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attempt.h"

static int write_to(int fd, const char *value)
{
	return fd < 0 || write(fd, value, strlen(value)) < 0 ? -1 : 0;
}

static int try_group_write(char **arguments)
{
	return write_to(open(arguments[0], O_WRONLY), arguments[1]);
}

static int try_group_make(char **arguments)
{
	return mkdir(arguments[0], 0755) || rmdir(arguments[0]) ? -1 : 0;
}

static int try_group_mode(char **arguments)
{
	return chmod(arguments[0], 0644);
}

static int try_group_owner(char **arguments)
{
	return chown(arguments[0], 0, 0);
}

static int try_group_attribute(char **arguments)
{
	return setxattr(arguments[0], "trusted.hutch-test", "x", 1, 0);
}

/* By its handle, which knows no read-only mount: opened by way of the mount that the handle is for. */
static int try_group_handle(char **arguments)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} handle = { .head = { .handle_bytes = 128 } };
	int id, at = open(arguments[0], O_RDONLY | O_DIRECTORY);

	if (at < 0)
		cannot_try(arguments[0]);
	if (name_to_handle_at(at, arguments[1], &handle.head, &id, 0))
		return -1;
	return write_to(open_by_handle_at(at, &handle.head, O_WRONLY), arguments[2]);
}

/* The whole tree, as a mount that is at no path. */
static int try_group_tree(char **arguments)
{
	int context = (int)syscall(SYS_fsopen, "cgroup2", 0), tree;

	(void)arguments;
	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	tree = (int)syscall(SYS_fsmount, context, 0, 0);
	return tree < 0 || openat(tree, "cgroup.procs", O_WRONLY) < 0 ? -1 : 0;
}

/* A copy of the mount, made writable. */
static int try_group_copy(char **arguments)
{
	struct mount_attr attributes = { .attr_clr = MOUNT_ATTR_RDONLY };
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, arguments[0], OPEN_TREE_CLONE);

	if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes))
		return -1;
	return openat(tree, "cgroup.procs", O_WRONLY) < 0 ? -1 : 0;
}

const struct attempt group_attempts[] = {
	{ "group-write", try_group_write },
	{ "group-make", try_group_make },
	{ "group-mode", try_group_mode },
	{ "group-owner", try_group_owner },
	{ "group-attribute", try_group_attribute },
	{ "group-handle", try_group_handle },
	{ "group-tree", try_group_tree },
	{ "group-copy", try_group_copy },
	{ 0 },
};
