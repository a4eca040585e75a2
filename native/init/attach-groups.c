/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts the job's groups read-only at /sys/fs/cgroup of its root. */
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "../hutch.h"

#define ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

#define MAX_COPIES 32

struct copy {
	int fd, directory;
};

static struct copy copy_group(const char *source)
{
	struct copy copy = { .fd = copy_tree(source, 0), .directory = 0 };

	if (copy.fd < 0)
		return copy;
	copy.directory = (int)is_directory(copy.fd);
	if (copy.directory < 0 || set_attributes(copy.fd, MOUNT_ATTR_RDONLY | ATTRIBUTES, 0) < 0) {
		sys(__NR_close, copy.fd);
		copy.fd = -1;
	}
	return copy;
}

static void attach_group(struct copy copy, const char *target)
{
	if (copy.fd >= 0)
		attach_at(copy.fd, target, copy.directory, RESOLVE_NO_SYMLINKS, 0);
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
 * them. All sources are copied before the first mount point is created, so that the process changes
 * its ids only once: see places.c.
 */
int op_attach_groups(struct cursor *c)
{
	const char *target = take_string(c);
	struct strings names = take_strings(c), sources = take_strings(c);
	const char *name = names.first, *source = sources.first;
	struct copy copies[MAX_COPIES];
	int inside, err = finished(c);

	if (err)
		return err;
	if (!names.count && sources.count)
		attach_group(copy_group(source), target);
	if (!names.count || attach_tmpfs(target) < 0)
		return 0;
	for (u32 at = 0, end = names.count < sources.count ? names.count : sources.count; at < end; at += MAX_COPIES) {
		u32 count = end - at < MAX_COPIES ? end - at : MAX_COPIES;
		const char *from = source;

		for (u32 i = 0; i < count; i++, source = next_string(source))
			copies[i] = *source == '/' ? copy_group(source) : (struct copy){ -1, 0 };
		inside = begin_inside();
		for (u32 i = 0; i < count; i++, name = next_string(name), from = next_string(from)) {
			if (*from == '/')
				attach_group(copies[i], name);
			else
				link_new_name(name, from);
		}
		end_inside(inside);
	}
	set_attributes(base_of(""), MOUNT_ATTR_RDONLY, 0);
	return 0;
}
