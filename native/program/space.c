/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems in memory that have a size. The kernel tells nobody that one is
 * full but the program that writes to it, and it is gone with the mount
 * namespace: so PID 1 holds each open, and says which are full.
 */
#include <asm/statfs.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

#define MAX_SPACES 8

static int spaces[MAX_SPACES];
static u32 space_count;

static int begins(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

/* Those beyond the last are not told of. The descriptor is a copy, and close-on-exec. */
int hold_space(int mount_fd, const char *type, const struct strings *options)
{
	const char *option = options->first;
	int sized = 0;
	long fd;

	for (u32 i = 0; i < options->count; i++, option = next_string(option))
		sized |= begins(option, "size=") || begins(option, "nr_inodes=");
	if (!sized || !begins(type, "tmpfs") || space_count == MAX_SPACES)
		return 0;
	fd = sys(__NR_fcntl, mount_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return (int)fd;
	spaces[space_count++] = (int)fd;
	return 0;
}

/* Bit n for the nth of them: no block, or no inode, is free. */
u32 full_spaces(void)
{
	struct statfs state;
	u32 full = 0;

	for (u32 i = 0; i < space_count; i++)
		if (sys(__NR_fstatfs, spaces[i], &state) == 0 &&
		    ((state.f_blocks && !state.f_bfree) || (state.f_files && !state.f_ffree)))
			full |= 1u << i;
	return full;
}
