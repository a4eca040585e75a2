/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports file systems in memory (tmpfs) that are full. The kernel reports a full file system only
 * to the program that writes, and the file system disappears with its mount namespace. So PID 1
 * keeps each of them open.
 */
#include <asm/statfs.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

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

static int has_size(const char *type, const struct strings *options)
{
	const char *option = options->first;
	int sized = 0;

	for (u32 i = 0; i < options->count; i++, option = next_string(option))
		sized |= begins(option, "size=") || begins(option, "nr_inodes=");
	return sized && begins(type, "tmpfs");
}

/*
 * Prepares to keep a new file system open. Runs before the file system is attached, because
 * attaching uses up the mount's descriptor. Sets *fd to a second descriptor, or to -1 if the usage
 * need not be reported. File systems beyond the maximum number are not reported.
 */
int begin_holding(int mount_fd, const char *type, const struct strings *options, int *fd)
{
	*fd = -1;
	if (space_count == MAX_SPACES || !has_size(type, options))
		return 0;
	*fd = (int)sys(__NR_fcntl, mount_fd, F_DUPFD_CLOEXEC, 3);
	return *fd < 0 ? *fd : 0;
}

/*
 * Keeps the file system open by a detached mount of it, so that a process inside can still unmount
 * the attached mount.
 */
int end_holding(int fd)
{
	long held;

	if (fd < 0)
		return 0;
	held = sys(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	sys(__NR_close, fd);
	if (held < 0)
		return (int)held;
	spaces[space_count++] = (int)held;
	return 0;
}

/* Moves the held file systems away from the numbers of the streams. */
int move_spaces(u32 streams)
{
	int err = 0;

	for (u32 i = 0; !err && i < space_count; i++)
		err = move_descriptor(&spaces[i], streams);
	return err;
}

/* Returns which file systems are full, as a mask: bit n is set if file system n has no free block or no free inode. */
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
