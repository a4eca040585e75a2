/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: restricts the files that the command can read, write and execute, by paths as the command
 * sees them. Each path is opened by the command's user, in its root and from its directory. The rules
 * are permanent from restrictPaths on, and need no_new_privs.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/landlock.h>
#include <linux/stat.h>

#include "../hutch.h"

/* Access rights that no rule grants: creating device nodes. */
#define READS (K_LANDLOCK_READ_FILE | K_LANDLOCK_READ_DIR)
#define WRITES (K_LANDLOCK_WRITE_FILE | K_LANDLOCK_TRUNCATE | K_LANDLOCK_IOCTL_DEV | K_LANDLOCK_REMOVE_DIR | K_LANDLOCK_REMOVE_FILE | \
		K_LANDLOCK_MAKE_DIR | K_LANDLOCK_MAKE_REG | K_LANDLOCK_MAKE_SOCK | K_LANDLOCK_MAKE_FIFO | K_LANDLOCK_MAKE_SYM | \
		K_LANDLOCK_REFER)
#define OF_FILES (K_LANDLOCK_EXECUTE | K_LANDLOCK_WRITE_FILE | K_LANDLOCK_READ_FILE | K_LANDLOCK_TRUNCATE | K_LANDLOCK_IOCTL_DEV)

static long ruleset = -1;
static u64 handled;

/*
 * Creates a ruleset that handles all access rights known to this kernel. Every access that no rule
 * allows is then refused.
 */
static long open_ruleset(void)
{
	static const u64 by_version[] = { K_LANDLOCK_MAKE_SYM, K_LANDLOCK_REFER, K_LANDLOCK_TRUNCATE, K_LANDLOCK_TRUNCATE, K_LANDLOCK_IOCTL_DEV };
	long version = sys(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return version < 0 ? version : -ENOSYS;
	handled = 2 * by_version[(version > 5 ? 5 : version) - 1] - 1;
	return sys(__NR_landlock_create_ruleset, &handled, sizeof handled, 0);
}

static u64 rights_of(u32 access, int directory)
{
	u64 rights = (access & ACCESS_READ ? READS : 0) | (access & ACCESS_WRITE ? WRITES : 0) |
		     (access & ACCESS_EXECUTE ? K_LANDLOCK_EXECUTE : 0);

	return rights & handled & (directory ? ~0ull : OF_FILES);
}

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
