/* SPDX-License-Identifier: Apache-2.0 */
/* Changes the flags of a mount, and checks it for flags that a volume must not have, such as read-only. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "../hutch.h"

/*
 * Returns an error if the mount has one of the `absent` flags. MOUNT_ATTR_* equal the flags of
 * statfs(2): ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC.
 */
int refuse_attributes(int fd, u64 absent)
{
	struct mount_facts found;
	long err;

	if (!absent)
		return 0;
	err = sys(__NR_fstatfs, fd, &found);
	if (err)
		return in_part(PART_ATTRIBUTES, err);
	for (int bit = 0; bit <= PART_NO_EXEC - PART_READ_ONLY; bit++)
		if (absent & (u64)found.flags & 1ull << bit)
			return in_part(PART_READ_ONLY + bit, bit ? -EPERM : -EROFS);
	return 0;
}

#define TOP 0		/* positions in the numbers of a change: of the mount itself, */
#define WHOLE 2		/* and of all mounts of its tree */
#define CHANGES 4

static int change(int fd, u64 sets, u64 clears, u32 recursive)
{
	struct mount_attr attr = { .attr_set = sets, .attr_clr = clears };

	/* the kinds of access times exclude each other, so the kernel wants all of them cleared */
	if ((sets | clears) & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (!attr.attr_set && !attr.attr_clr)
		return 0;
	return (int)sys(__NR_mount_setattr, fd, "", AT_EMPTY_PATH | recursive, &attr, sizeof attr);
}

/*
 * Sets and clears flags of a mount, then of its whole tree. Flags that a more privileged mount
 * namespace has locked are kept on the mount itself (mount_namespaces(7)).
 */
int change_mount(int fd, const struct numbers *changes)
{
	const u32 *top = changes->first + TOP, *whole = changes->first + WHOLE;
	struct mount_facts found;
	int err;

	if (!changes->count)
		return 0;
	if (changes->count != CHANGES)
		return -EPROTO;
	err = change(fd, top[0], top[1], 0);
	if (err == -EPERM && sys(__NR_fstatfs, fd, &found) == 0)
		err = change(fd, top[0] & ~MOUNT_ATTR__ATIME, top[1] & ~(u64)found.flags & ~MOUNT_ATTR__ATIME, 0);
	return err < 0 ? err : change(fd, whole[0], whole[1], AT_RECURSIVE);
}
