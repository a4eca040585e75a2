/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the steps of bubblewrap(1) that concern the process itself. It waits for descriptors, holds
 * locks, enters a directory, and creates the last user namespace. The descriptors come from the
 * caller. They are marked close-on-exec first, so none reaches the command.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "../hutch.h"

static char directory[4096 + 4] = "PWD=";
static int directory_chosen;

int op_close_on_exec(struct cursor *c)
{
	struct numbers descriptors = take_numbers(c);
	long err = finished(c);

	for (u32 i = 0; !err && i < descriptors.count; i++)
		err = sys(__NR_fcntl, descriptors.first[i], F_SETFD, FD_CLOEXEC);
	return (int)err;
}

/* Keeps all descriptors from a number on from the command. Those of hutch-init are kept from it anyway. */
int op_close_on_exec_from(struct cursor *c)
{
	u32 first = take_u32(c);
	int err = finished(c);

	return err ? err : (int)close_on_exec_from((int)first);
}

/* Waits on a descriptor until its other side writes a byte or closes it. */
int op_block_on(struct cursor *c)
{
	u32 descriptor = take_u32(c);
	long got, err = finished(c);
	char byte;

	if (err)
		return (int)err;
	do
		got = sys(__NR_read, descriptor, &byte, 1);
	while (got == -EINTR);
	sys(__NR_close, descriptor);
	return got < 0 ? (int)got : 0;
}

/*
 * Takes a lock that lasts until this process ends: an fcntl(2) lock belongs to the process, and the
 * command does not inherit it.
 */
int op_take_lock(struct cursor *c)
{
	const char *path = take_string(c);
	struct { short type, whence; long start, length; int pid; } lock = { F_RDLCK, 0, 0, 0, 0 };
	long fd, err = finished(c);

	if (err)
		return (int)err;
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? in_part(PART_TARGET, fd) : (int)sys(__NR_fcntl, fd, F_SETLK, &lock);
}

int op_new_session(struct cursor *c)
{
	int err = finished(c);
	long got = err ? err : sys(__NR_setsid);

	return got < 0 ? (int)got : 0;
}

/*
 * Creates a user namespace inside the one that owns the mounts, so that this process can no longer
 * change the mounts. limit: whether the outer one may contain only this one.
 */
int op_nest_user(struct cursor *c)
{
	const char *users = take_string(c), *groups = take_string(c);
	u32 limit = take_u32(c);
	int err = finished(c);

	if (!err && limit)
		err = write_held_proc("sys/user/max_user_namespaces", "1");
	if (!err)
		err = (int)sys(__NR_unshare, CLONE_NEWUSER);
	if (!err)
		err = write_held_proc("self/setgroups", "deny");
	if (!err)
		err = write_held_proc("self/gid_map", groups);
	return err ? err : write_held_proc("self/uid_map", users);
}

/*
 * Checks that no user namespace can be created any more. Only an attempt shows this. If the attempt
 * succeeds, the job ends.
 */
int op_refuse_users(struct cursor *c)
{
	int err = finished(c);

	return err ? err : sys(__NR_unshare, CLONE_NEWUSER) < 0 ? 0 : -EPERM;
}

/* Enters the first directory of a list that can be entered. With `required`, tries only the first one. */
int op_choose_directory(struct cursor *c)
{
	struct strings directories = take_strings(c);
	u32 required = take_u32(c);
	const char *path = directories.first;
	long err = finished(c), length;

	if (err || directories.count == 0)
		return err ? (int)err : -EPROTO;
	for (u32 i = 0; i < directories.count; i++, path = next_string(path)) {
		err = sys(__NR_chdir, path);
		if (!err || required)
			break;
	}
	if (err)
		return (int)err;
	length = sys(__NR_getcwd, directory + 4, sizeof directory - 4);
	directory_chosen = length > 0 && directory[4] == '/';
	return 0;
}

/* Returns "PWD=…" for the command's environment if a directory was chosen. */
const char *chosen_directory(void)
{
	return directory_chosen ? directory : NULL;
}

int op_enter_descriptor(struct cursor *c)
{
	u32 descriptor = take_u32(c), kind = take_u32(c);
	int err = finished(c);

	/*
	 * undumpable: root inside must not trace this process and take its descriptors before the
	 * command runs (CVE-2016-9962)
	 */
	if (!err)
		err = (int)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	return err ? err : (int)sys(__NR_setns, descriptor, kind);
}
