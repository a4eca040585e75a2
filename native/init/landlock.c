/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: which files the command may read, write and execute, by paths as
 * it sees them. Each path is opened by the command's own user, in its root
 * and from its directory; the rules hold from restrictPaths on, for good, and
 * take no_new_privs.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/landlock.h>
#include <linux/stat.h>

#include "../hutch.h"

/* Bits as the kernel numbers them; headers may be older than the kernel. */
enum {
	EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5, MAKE_CHAR = 1 << 6, MAKE_DIR = 1 << 7, MAKE_REG = 1 << 8, MAKE_SOCK = 1 << 9,
	MAKE_FIFO = 1 << 10, MAKE_BLOCK = 1 << 11, MAKE_SYM = 1 << 12, REFER = 1 << 13, TRUNCATE = 1 << 14,
	IOCTL_DEV = 1 << 15
};

/* Nodes of devices can be made by nobody. */
#define READS (READ_FILE | READ_DIR)
#define WRITES (WRITE_FILE | TRUNCATE | IOCTL_DEV | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | \
		MAKE_SYM | REFER)
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

static long ruleset = -1;
static u64 handled;

/* All that this kernel can refuse: what no rule allows is refused. */
static long open_ruleset(void)
{
	static const u64 by_version[] = { MAKE_SYM, REFER, TRUNCATE, TRUNCATE, IOCTL_DEV };
	long version = sys(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return version < 0 ? version : -ENOSYS;
	handled = 2 * by_version[(version > 5 ? 5 : version) - 1] - 1;
	return sys(__NR_landlock_create_ruleset, &handled, sizeof handled, 0);
}

static u64 rights_of(u32 access, int directory)
{
	u64 rights = (access & 1 ? READS : 0) | (access & 2 ? WRITES : 0) | (access & 4 ? EXECUTE : 0);

	return rights & handled & (directory ? ~0ull : OF_FILES);
}

/* access: 1 read, 2 write, 4 execute */
int op_allow_path(struct cursor *c)
{
	const char *path = take_string(c);
	u32 access = take_u32(c);
	struct landlock_path_beneath_attr rule;
	long fd, directory, err = finished(c);

	if (err)
		return (int)err;
	if (ruleset < 0)
		ruleset = open_ruleset();
	if (ruleset < 0)
		return (int)ruleset;
	fd = sys(__NR_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return in_part(PART_SOURCE, fd);
	directory = is_directory((int)fd);
	rule.parent_fd = (int)fd;
	rule.allowed_access = rights_of(access, directory > 0);
	err = directory < 0 ? directory
			    : sys(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	sys(__NR_close, fd);
	return in_part(PART_ATTACH, err);
}

int op_restrict_paths(struct cursor *c)
{
	long err = finished(c);

	if (!err)
		err = ruleset < 0 ? -EPROTO : sys(__NR_landlock_restrict_self, ruleset, 0);
	if (ruleset >= 0)
		sys(__NR_close, ruleset);
	ruleset = -1;
	return (int)err;
}
