/* SPDX-License-Identifier: Apache-2.0 */
/* Sets which later mounts a mount of the job's root exchanges with others, see mount_namespaces(7). */
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "../hutch.h"

/* The propagation of the mounts that are attached next, type 0: as copied. */
static struct { u32 type, recursive; } propagation;

int op_set_propagation(struct cursor *c)
{
	propagation.type = take_u32(c);
	propagation.recursive = take_u32(c);
	return finished(c);
}

/*
 * Sets the propagation of a mount before it is attached, so no other mount can be meant. A shared
 * mount becomes private first: as a slave it would still receive mounts of the host.
 */
int propagate(int mount_fd)
{
	u32 flags = AT_EMPTY_PATH | (propagation.recursive ? AT_RECURSIVE : 0);
	struct mount_attr attr = { .propagation = propagation.type == K_MS_SHARED ? K_MS_PRIVATE : propagation.type };
	long err;

	if (!propagation.type)
		return 0;
	err = sys(__NR_mount_setattr, mount_fd, "", flags, &attr, sizeof attr);
	attr.propagation = propagation.type;
	if (!err && propagation.type == K_MS_SHARED)
		err = sys(__NR_mount_setattr, mount_fd, "", flags, &attr, sizeof attr);
	return (int)err;
}
