/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts the job's groups read-only at /sys/fs/cgroup of its root. */
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "../hutch.h"

#define ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int attach_group(const char *source, const char *target)
{
	int fd = copy_tree(source, 0), directory, err;

	if (fd < 0)
		return fd;
	directory = (int)is_directory(fd);
	err = directory < 0 ? directory : set_attributes(fd, MOUNT_ATTR_RDONLY | ATTRIBUTES, 0);
	if (err < 0) {
		sys(__NR_close, fd);
		return err;
	}
	return attach_at(fd, target, directory, RESOLVE_NO_SYMLINKS, 0);
}

static int attach_tmpfs(const char *target)
{
	int fd = new_mount("tmpfs", &(struct strings){ 1, 10, "mode=0755" }, ATTRIBUTES);

	if (fd < 0)
		return fd;
	make_in(fd);
	return attach_at(fd, target, 1, RESOLVE_NO_SYMLINKS, 1);
}

/*
 * Attaches the job's groups in its root. A single source without a name is attached at the target
 * itself. Otherwise a tmpfs is attached there, with a directory for each name. A source that does
 * not begin with "/" becomes a symbolic link. A bind mount costs less than a mount of the hierarchy
 * and needs no right over it. In the job's cgroup namespace, the mount's root is "/", as in
 * /proc/self/cgroup. If the mounts are refused (inside some containers), the job starts without
 * them.
 */
int op_attach_groups(struct cursor *c)
{
	const char *target = take_string(c);
	struct strings names = take_strings(c), sources = take_strings(c);
	const char *name = names.first, *source = sources.first;
	int err = finished(c);

	if (err)
		return err;
	if (!names.count && sources.count)
		attach_group(source, target);
	if (!names.count || attach_tmpfs(target) < 0)
		return 0;
	for (u32 i = 0; i < names.count && i < sources.count; i++) {
		if (*source == '/')
			attach_group(source, name);
		else
			link_new_name(name, source);
		name = next_string(name);
		source = next_string(source);
	}
	set_attributes(base_of(""), MOUNT_ATTR_RDONLY, 0);
	return 0;
}
