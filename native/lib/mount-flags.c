/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a mount for flags that a volume must not have, such as read-only. */
#include <linux/errno.h>

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
