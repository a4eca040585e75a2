/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds and removes groups whose hutch was killed. hutch holds a lock on a file of each group that
 * it creates, and the kernel releases the lock when hutch ends. A lock is visible from every pid
 * and time namespace, so the group's name only informs people. Once the lock is held, the file's
 * mode becomes 0600. Only the group's owner can then open the file, so no other user can hold the
 * lock. If the file has another mode, its creator is about to take the lock, or is an older version
 * of hutch. Such a group is removed only if its whole tree is empty, and no process in it is
 * killed.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include "groups.h"

#define MARK 0600
#define OLD_SECONDS 60

/*
 * Files of a group that can hold its lock; the first one that exists is used. cgroup.kill: v2 since
 * Linux 5.14. notify_on_release: v1. cgroup.max.depth: v2 before Linux 5.14.
 */
static const struct lock_file {
	const char *name;
	int flags;
} lock_files[] = { { "/cgroup.kill", O_WRONLY }, { "/notify_on_release", O_RDONLY }, { "/cgroup.max.depth", O_RDONLY } };

#define LOCK_FILES (sizeof lock_files / sizeof *lock_files)
#define LONGEST_NAME 32

static long open_lock(int base, const char *group)
{
	char path[PATH_MAX + LONGEST_NAME];
	size_t length = text_length(group);
	long fd = -ENOENT;

	if (length > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, group, length);
	for (u32 i = 0; i < LOCK_FILES && fd == -ENOENT; i++) {
		memcpy(path + length, lock_files[i].name, text_length(lock_files[i].name) + 1);
		fd = sys(__NR_openat, base, path, lock_files[i].flags | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd;
}

/*
 * Locks a new group. Returns the descriptor that holds the lock, or -errno. A group without a lock
 * is cleaned up by the rules for groups of older versions.
 */
int lock_group(const char *path)
{
	long fd = open_lock(AT_FDCWD, path), err;

	if (fd < 0)
		return (int)fd;
	err = sys(__NR_flock, fd, K_LOCK_EX | K_LOCK_NB);
	if (!err)
		err = sys(__NR_fchmod, fd, MARK);
	if (err) {
		sys(__NR_close, fd);
		return (int)err;
	}
	return (int)fd;
}

static int is_marked(int lock, struct statx *st)
{
	return sys(__NR_statx, lock, "", K_AT_EMPTY_PATH, STATX_MODE | STATX_UID, st) == 0 && (st->stx_mode & 0777) == MARK;
}

/*
 * Returns the user whose hutch holds a group's lock, or -1 if the lock is free. Returns -EACCES if
 * only another user can check. Tries the lock only if its file shows that it was held before. So
 * the check never competes with the group's creator.
 */
long group_holder(const char *path)
{
	struct statx st = { 0 };
	long lock = open_lock(AT_FDCWD, path), holder = -1;

	if (lock < 0)
		return lock == -EACCES ? lock : -1;
	if (is_marked((int)lock, &st) && sys(__NR_flock, lock, K_LOCK_SH | K_LOCK_NB) == -EWOULDBLOCK)
		holder = st.stx_uid;
	sys(__NR_close, lock);
	return holder;
}

static int take_number(const char **at, u64 *number)
{
	const char *first;

	if (**at != '-')
		return 0;
	first = ++*at;
	for (*number = 0; **at >= '0' && **at <= '9'; ++*at)
		*number = *number * 10 + (u64)(**at - '0');
	return *at > first;
}

/* Parses a name of the form hutch-PID-START-PIDNS-SERIAL. */
int parse_group_name(const char *name, u64 *pid, u64 *space)
{
	static const char prefix[] = "hutch";
	const char *at = name;
	u64 start, serial;

	for (const char *p = prefix; *p; p++, at++)
		if (*at != *p)
			return 0;
	return take_number(&at, pid) && take_number(&at, &start) && take_number(&at, space) &&
	       take_number(&at, &serial) && !*at && *pid;
}

static int is_old(int group)
{
	struct __kernel_timespec now = { 0, 0 };
	struct statx st;

	sys(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, &now);
	return sys(__NR_statx, group, "", K_AT_EMPTY_PATH, STATX_MTIME, &st) == 0 && now.tv_sec - st.stx_mtime.tv_sec > OLD_SECONDS;
}

/*
 * Returns true if the group's creator has ended. kill(2) checks the pid in this process's own pid
 * namespace, whichever /proc is mounted. A creator in another pid namespace counts as ended if the
 * group is older than a minute.
 */
static int is_gone(u64 pid, u64 space, u64 own_space, int group)
{
	return space == own_space ? sys(__NR_kill, pid, 0) == -ESRCH : is_old(group);
}

static int is_empty(int group)
{
	int count = 0;

	return signal_listed_in(group, "cgroup.procs", 0, 0, &count) == 0 && count == 0 &&
	       walk_groups_below(group, WALK_LOOK, 0) == 0;
}

/* Removes a stale group. Returns 1 if another try may remove it. */
static int remove_group(int base, const char *name, int group, enum walk mode, u64 until)
{
	long err;
	int below;

	if (mode == WALK_KILL && kill_group(group))
		mode = WALK_REMOVE;
	below = walk_groups_below(group, mode, until);
	err = remove_directory(base, name);
	return err == -EBUSY && (below == 0 || below == -EBUSY);
}

static int sweep_group(int base, const char *name, u64 own_space, u64 until)
{
	struct statx st = { 0 };
	u64 pid, space;
	long lock, group;
	int again = 0, marked;

	if (!parse_group_name(name, &pid, &space))
		return 0;
	group = sys(__NR_openat, base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (group < 0)
		return 0;
	lock = open_lock((int)group, ".");
	marked = lock >= 0 && is_marked((int)lock, &st);
	if (marked && sys(__NR_flock, lock, K_LOCK_EX | K_LOCK_NB) == 0)
		again = remove_group(base, name, (int)group, WALK_KILL, until);
	else if (!marked && (lock >= 0 || lock == -ENOENT) && is_gone(pid, space, own_space, (int)group) &&
		 is_empty((int)group))
		remove_group(base, name, (int)group, WALK_REMOVE, until);
	if (lock >= 0)
		sys(__NR_close, lock);
	sys(__NR_close, group);
	return again;
}

/* Returns true if a directory of a control group file system has no groups: its link count is their number plus 2. */
static int lacks_groups(const char *directory)
{
	struct statx st = { 0 };

	return sys(__NR_statx, AT_FDCWD, directory, 0, STATX_NLINK, &st) == 0 && st.stx_nlink == 2;
}

/*
 * Removes the stale groups directly below a directory. Returns by the time `until`: 1 if groups are
 * left to check, otherwise 0.
 */
int sweep_directory(const char *directory, u64 own_space, u64 until)
{
	struct listing l;
	const struct entry *e;
	int again = 0, late = 0;

	if (lacks_groups(directory))
		return 0;
	begin_listing(&l, (int)sys(__NR_openat, AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (l.fd < 0)
		return 0;
	while (!late && (e = next_in(&l)) != NULL) {
		if (e->type != ENTRY_GROUP)
			continue;
		late = now_ms() >= until;
		if (!late)
			again |= sweep_group(l.fd, e->name, own_space, until);
	}
	sys(__NR_close, l.fd);
	return again | late;
}
