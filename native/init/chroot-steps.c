/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the steps of unshare(1) and nsenter(1) that hutch run does not use. A directory is opened in
 * one mount namespace and entered in another, and ids are set one by one. The caller chose the
 * paths, and they are opened with the caller's rights.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "../hutch.h"

static long held_root = -1, held_directory = -1;
static int groups_dropped;

/* Writes one of this process's own files in /proc, such as uid_map. */
int op_write_own_file(struct cursor *c)
{
	const char *path = take_string(c), *value = take_string(c);
	int err = finished(c);

	return err ? err : write_text(path, value);
}

int op_change_root(struct cursor *c)
{
	const char *path = take_string(c);
	int err = finished(c);

	return err ? err : (int)sys(__NR_chroot, path);
}

static long hold(const char *path)
{
	return *path ? sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* Opens the directories before namespaces are joined, because their paths are those that the caller sees. */
int op_hold_directories(struct cursor *c)
{
	const char *root = take_string(c), *directory = take_string(c);
	int err = finished(c);

	if (err)
		return err;
	held_root = hold(root);
	if (*root && held_root < 0)
		return (int)held_root;
	held_directory = hold(directory);
	return *directory && held_directory < 0 ? (int)held_directory : 0;
}

/*
 * Enters the opened directories after namespaces are joined. Changing the root does not change the
 * working directory. `inside` is a path that is valid in the joined namespaces.
 */
int op_enter_directories(struct cursor *c)
{
	const char *inside = take_string(c);
	long err = finished(c);

	if (err)
		return (int)err;
	if (held_root >= 0) {
		if (held_directory < 0 && !*inside)
			held_directory = hold(".");
		err = sys(__NR_fchdir, held_root);
		if (!err)
			err = sys(__NR_chroot, ".");
		sys(__NR_close, held_root);
	}
	if (!err && *inside) {
		held_directory = hold(inside);
		err = held_directory < 0 ? held_directory : 0;
	}
	if (!err && held_directory >= 0)
		err = sys(__NR_fchdir, held_directory);
	if (held_directory >= 0)
		sys(__NR_close, held_directory);
	return (int)err;
}

/* Drops the supplementary groups before a user namespace is joined, because setgroups may be forbidden inside. */
int op_drop_groups(struct cursor *c)
{
	int err = finished(c);

	groups_dropped = !err && sys(__NR_setgroups, 0, NULL) == 0;
	return err;
}

/*
 * Sets the user and group id; -1 keeps an id. The value of `groups` decides about supplementary
 * groups: 0 keeps them, 1 drops them, 2 drops them unless dropGroups already did.
 */
int op_take_ids(struct cursor *c)
{
	u32 uid = take_u32(c), gid = take_u32(c), groups = take_u32(c);
	long err = finished(c);

	if (!err && groups) {
		err = sys(__NR_setgroups, 0, NULL);
		if (err && groups == 2 && groups_dropped)
			err = 0;
	}
	if (!err && gid != ~0u)
		err = sys(__NR_setgid, gid);
	if (!err && uid != ~0u)
		err = sys(__NR_setuid, uid);
	return (int)err;
}

int op_keep_capabilities(struct cursor *c)
{
	int err = finished(c);

	return err ? err : (int)raise_to_ambient(~0ull);
}
