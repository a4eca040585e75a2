/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks all groups below a group, to any depth, with only two open descriptors: downwards by
 * openat, upwards by "..". For each level, only the read position in the directory is stored.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "groups.h"

#define MAX_LEVELS 4096

int open_group_in(int base, const char *name)
{
	long fd = sys(__NR_openat, base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	/* if a job removed hutch's permission on a group, hutch grants it again and retries */
	if (fd == -EACCES && sys(__NR_fchmodat, base, name, 0700) == 0)
		fd = sys(__NR_openat, base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return (int)fd;
}

/* Finds the next entry of a type. Returns 1 if such an entry exists at or after `from`. */
int next_entry(int directory, long long from, enum entry_type type, struct listed_entry *c)
{
	struct listing l;
	const struct entry *e;

	if (sys(__NR_lseek, directory, from, 0 /* SEEK_SET */) < 0)
		return 0;
	begin_listing(&l, directory);
	c->after = from;
	while ((e = next_in(&l)) != NULL) {
		c->at = c->after;
		c->after = e->offset;
		if (e->type != type || e->name[0] == '.')
			continue;
		memcpy(c->name, e->name, text_length(e->name) + 1);
		return 1;
	}
	return 0;
}

static int write_in(int group, const char *file, const char *text)
{
	long fd = sys(__NR_openat, group, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), wrote;

	if (fd < 0)
		return (int)fd;
	wrote = sys(__NR_write, fd, text, text_length(text));
	sys(__NR_close, fd);
	return wrote < 0 ? (int)wrote : 0;
}

/*
 * Kills the processes of a group. Without cgroup.kill (v1, Linux before 5.14), kills each listed
 * process. A frozen v1 process cannot end, so the v1 group is thawed. Returns 1 if the kill covers
 * all groups below.
 */
int kill_group(int group)
{
	int count = 0;

	if (write_in(group, "cgroup.kill", "1") == 0)
		return 1;
	signal_listed_in(group, "cgroup.procs", SIGKILL, 0, &count);
	write_in(group, "freezer.state", "THAWED");
	return 0;
}

static int has_processes(int group)
{
	int count = 0;

	return signal_listed_in(group, "cgroup.procs", 0, 0, &count) != 0 || count > 0;
}

/*
 * Handles one group of a walk: kills its processes in mode WALK_KILL. In mode WALK_LOOK, returns
 * -EBUSY if the group has a process.
 */
static int visit(int group, enum walk mode)
{
	if (mode == WALK_LOOK)
		return has_processes(group) ? -EBUSY : 0;
	if (mode == WALK_KILL)
		kill_group(group);
	return 0;
}

/*
 * Walks once over the groups below `top`. Stops at the time `until` (0: no limit). Returns 0 when
 * all are removed or, for WALK_LOOK, when no process was found. Returns -EBUSY if another pass may
 * help, otherwise a permanent error.
 */
int walk_groups_below(int top, enum walk mode, u64 until)
{
	long long position[MAX_LEVELS];
	int level = 0, returned = 0, result = 0, fd;
	int at = (int)sys(__NR_openat, top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct listed_entry child;

	if (at < 0)
		return at;
	position[0] = 0;
	for (;;) {
		long err = -EBUSY;

		if (until && now_ms() >= until) {
			result = -EBUSY;
			break;
		}
		if (!next_entry(at, position[level], ENTRY_GROUP, &child)) {
			if (level == 0)
				break;
			fd = (int)sys(__NR_openat, at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0) {
				result = -EBUSY;
				break;
			}
			sys(__NR_close, at);
			at = fd;
			level--;
			returned = 1;
			continue;
		}
		if (mode != WALK_LOOK)
			err = remove_directory(at, child.name);
		position[level] = child.after;
		if (returned || err != -EBUSY) {
			if (mode != WALK_LOOK && err && err != -ENOENT && (!result || result == -EBUSY))
				result = (int)err;
			returned = 0;
			continue;
		}
		fd = level + 1 < MAX_LEVELS ? open_group_in(at, child.name) : -ELOOP;
		if (fd < 0) {
			result = fd == -ENOENT ? -EBUSY : fd;
			continue;
		}
		if (visit(fd, mode)) {
			sys(__NR_close, fd);
			result = -EBUSY;
			break;
		}
		position[level++] = child.at;
		position[level] = 0;
		sys(__NR_close, at);
		at = fd;
	}
	sys(__NR_close, at);
	return result;
}

/*
 * Kills the processes in all groups below a path and removes the groups. Does not wait for dying
 * processes, which keep their groups: the caller tries again.
 */
void clear_below(const char *path)
{
	int fd = open_group_in(AT_FDCWD, path);

	if (fd < 0)
		return;
	walk_groups_below(fd, WALK_KILL, now_ms() + 100);
	sys(__NR_close, fd);
}
