/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts the job's groups read-only at /sys/fs/cgroup of its root. */
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "../hutch.h"

#define MAX_COPIES 32

struct copy {
	int fd, directory;
};

/* Copies the mount of a group. On an error, fd is negative. */
static struct copy copy_group(const char *source, u64 attributes)
{
	struct copy copy = { .fd = in_part(PART_SOURCE, copy_tree(source, 0)), .directory = 0 };
	int err;

	if (copy.fd < 0)
		return copy;
	copy.directory = (int)is_directory(copy.fd);
	err = copy.directory < 0 ? copy.directory : in_part(PART_ATTRIBUTES, set_attributes(copy.fd, attributes, 0));
	if (err < 0) {
		sys(__NR_close, copy.fd);
		copy.fd = err;
	}
	return copy;
}

static int attach_group(struct copy copy, const char *target)
{
	return copy.fd < 0 ? copy.fd : attach_at(copy.fd, target, copy.directory, RESOLVE_NO_SYMLINKS, 0);
}

static int attach_tmpfs(const char *target, u64 attributes)
{
	int fd = new_mount("tmpfs", &(struct strings){ 1, 10, "mode=0755" }, attributes & ~(u64)MOUNT_ATTR_RDONLY);

	if (fd < 0)
		return in_part(PART_FILE_SYSTEM, fd);
	make_in(fd);
	return attach_at(fd, target, 1, RESOLVE_NO_SYMLINKS, 1);
}

/*
 * Attaches the job's groups in its root. A single source without a name is attached at the target
 * itself. Otherwise a tmpfs is attached there, with a directory for each name. A source that does
 * not begin with "/" becomes a symbolic link. A bind mount costs less than a mount of the hierarchy
 * and needs no right over it. In the job's cgroup namespace, the mount's root is "/", as in
 * /proc/self/cgroup. Unless they are required, the job starts without mounts that are refused
 * (inside some containers). All sources are copied before the first mount point is created, so that
 * the process changes its ids only once: see places.c.
 */
int op_attach_groups(struct cursor *c)
{
	const char *target = take_string(c);
	struct strings names = take_strings(c), sources = take_strings(c);
	u64 attributes = take_u64(c);
	u32 required = take_u32(c);
	const char *name = names.first, *source = sources.first;
	struct copy copies[MAX_COPIES];
	int inside, err = finished(c), failed = 0;

	if (err)
		return err;
	if (!names.count && sources.count)
		err = attach_group(copy_group(source, attributes), target);
	else if (names.count)
		err = attach_tmpfs(target, attributes);
	if (err < 0 || !names.count)
		return required ? err : 0;
	for (u32 at = 0, end = names.count < sources.count ? names.count : sources.count; at < end; at += MAX_COPIES) {
		u32 count = end - at < MAX_COPIES ? end - at : MAX_COPIES;
		const char *from = source;

		for (u32 i = 0; i < count; i++, source = next_string(source))
			copies[i] = *source == '/' ? copy_group(source, attributes) : (struct copy){ -1, 0 };
		inside = begin_inside();
		for (u32 i = 0; i < count; i++, name = next_string(name), from = next_string(from)) {
			err = *from == '/' ? attach_group(copies[i], name) : link_new_name(name, from);
			failed = err < 0 ? err : failed;
		}
		end_inside(inside);
	}
	err = set_attributes(base_of(""), attributes & MOUNT_ATTR_RDONLY, 0);
	return required ? failed ?: err : 0;
}
