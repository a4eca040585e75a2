/* SPDX-License-Identifier: Apache-2.0 */
/* Sets which later mounts a mount of the job's root exchanges with others, see mount_namespaces(7). */
#include <linux/errno.h>
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

#define MAX_HELD 64

static int held[MAX_HELD];	/* trees copied by holdTrees that are not attached yet, in their order */
static u32 held_count, held_taken;

/* Returns the next tree that holdTrees has copied. */
int take_held_tree(void)
{
	return held_taken < held_count ? held[held_taken++] : -EPROTO;
}

/*
 * Copies trees whose mounts the job shares with the host in both directions. This must come before
 * the mounts of this namespace become private: a copy of a shared mount is its peer.
 */
int op_hold_trees(struct cursor *c)
{
	struct strings sources = take_strings(c);
	struct numbers how = take_numbers(c);
	struct mount_attr attr = { .propagation = K_MS_SHARED };
	const char *source = sources.first;
	int err = finished(c);

	if (err)
		return err;
	if (how.count != sources.count || sources.count > MAX_HELD)
		return -E2BIG;
	for (u32 i = 0; i < sources.count; i++, source = next_string(source)) {
		u32 all = how.first[i] & TREE_ALL_SHARED ? AT_RECURSIVE : 0;

		held[held_count] = copy_tree(source, how.first[i] & TREE_RECURSIVE);
		if (held[held_count] < 0)
			return in_part(PART_SOURCE, held[held_count]);
		err = (int)sys(__NR_mount_setattr, held[held_count++], "", AT_EMPTY_PATH | all, &attr, sizeof attr);
		if (err)
			return in_part(PART_ATTRIBUTES, err);
	}
	return 0;
}
