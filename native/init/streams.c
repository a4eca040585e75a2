/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the streams of a command with its own root: only files, pipes, sockets and devices are
 * allowed. A directory or an O_PATH descriptor would lead out of the root.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/landlock.h>
#include <linux/stat.h>

#include "../hutch.h"

#define IS(mode, kind) (((mode) & K_S_IFMT) == (kind))

#define CLOSED (-1)	/* in place of a mode: the command does not get this number */

/* Number of streams of the command, from hutch-init's arguments or a job request. */
u32 stream_count = STANDARD_STREAMS;

/* Above the standard streams a number may be free, or belong to hutch-init. */
static int is_passed_on(int fd)
{
	return fd < STANDARD_STREAMS || sys(__NR_fcntl, fd, F_GETFD) == 0;
}

static long look_at(int fd, struct statx *found)
{
	long flags = sys(__NR_fcntl, fd, F_GETFL), err;

	if (flags < 0)
		return flags;
	if (flags & O_PATH)
		return -EBADF;
	err = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, found);
	if (err)
		return err;
	return IS(found->stx_mode, K_S_IFDIR) ? -EISDIR : flags & O_ACCMODE;
}

/*
 * Returns true if the command could use a read-only stream to open its file for writing, through
 * /proc/self/fd. /dev/null and pipes do not count: a process with one end of a pipe can open the
 * other end anyway.
 */
static int is_worth_protecting(const struct statx *file)
{
	if (IS(file->stx_mode, K_S_IFCHR))
		return file->stx_rdev_major != 1;
	return IS(file->stx_mode, K_S_IFREG) || IS(file->stx_mode, K_S_IFBLK);
}

static long allow(long ruleset, long fd, u64 rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = (int)fd };

	return sys(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/*
 * Makes the files of read-only streams impossible to open for writing. Landlock then allows writing
 * only below the job's root and in streams that are open for writing. The kernel checks this by
 * mount and not by path, so /proc/self/fd cannot evade it. Before Linux 5.19, Landlock would also
 * forbid renames between directories, so it is not used there.
 */
static long protect(const int *modes)
{
	long version = sys(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), ruleset, root, err;
	u64 rights = K_LANDLOCK_WRITE_FILE | K_LANDLOCK_REFER | (version > 2 ? K_LANDLOCK_TRUNCATE : 0);

	if (version < 2)
		return 0;
	ruleset = sys(__NR_landlock_create_ruleset, &rights, sizeof rights, 0);
	if (ruleset < 0)
		return ruleset;
	root = sys(__NR_openat, AT_FDCWD, "/", O_PATH | O_CLOEXEC);
	err = root < 0 ? root : allow(ruleset, root, rights);
	/* EBADFD: a pipe or a socket, which Landlock does not restrict */
	for (u32 i = 0; i < stream_count && !err; i++)
		if (modes[i] != CLOSED && modes[i] != O_RDONLY && (err = allow(ruleset, i, rights & ~K_LANDLOCK_REFER)) == -EBADFD)
			err = 0;
	if (!err)
		err = sys(__NR_landlock_restrict_self, ruleset, 0);
	sys(__NR_close, root);
	sys(__NR_close, ruleset);
	return err;
}

/* Checks the standard streams. In an error, the part is the number of the refused stream plus 1. */
int op_check_streams(struct cursor *c)
{
	u32 protects = take_u32(c), worth = 0;
	struct statx file;
	int modes[MAX_STREAMS];
	long err = finished(c);

	if (stream_count > MAX_STREAMS)
		return -EPROTO;
	for (u32 i = 0; i < stream_count && !err; i++) {
		modes[i] = CLOSED;
		if (!is_passed_on((int)i))
			continue;
		err = look_at((int)i, &file);
		if (err < 0)
			return in_part((enum step_part)(i + 1), err);
		modes[i] = (int)err;
		worth |= modes[i] == O_RDONLY && is_worth_protecting(&file);
		err = 0;
	}
	if (!err && protects && worth)
		err = protect(modes);
	return (int)err;
}

/*
 * Attaches the caller's terminal as /dev/console, so that ttyname(3) finds its name. Does nothing
 * if no stream is a terminal.
 */
int op_attach_terminal(struct cursor *c)
{
	const char *target = take_string(c);
	u64 attributes = take_u64(c);
	char path[32], settings[64];
	int fd, err = finished(c);

	for (int i = 0; i < STANDARD_STREAMS && !err; i++) {
		if (sys(__NR_ioctl, i, TCGETS, settings))
			continue;
		*descriptor_path(path, i) = 0;
		fd = copy_tree(path, 0);
		/* a terminal of another container has no path in this mount namespace: leave the streams unchanged */
		if (fd < 0)
			return 0;
		err = set_attributes(fd, attributes, 0);
		if (err >= 0)
			return attach_at(fd, target, 0, 0, 0);
		sys(__NR_close, fd);
	}
	return err;
}
