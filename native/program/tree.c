/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups below a job's own: made by the job, or by a hutch inside it that was
 * killed. One pass kills what is in them and removes those that are empty.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "../hutch.h"

#define REMOVE_DIRECTORY 0x200
#define DT_DIRECTORY 4
/* What is deeper takes further passes once the levels above it are known to be busy; each level holds a descriptor. */
#define LEVELS_AT_MOST 128

struct entry {
	u64 inode;
	long long offset;
	u16 length;
	u8 type;
	char name[];
};

static int open_below(int base, const char *name, int flags)
{
	return (int)sys(__NR_openat, base, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* v1 and kernels before 5.14: each process that is listed. */
static void kill_listed(int group)
{
	char list[512];
	long got, pid = 0;
	int fd = open_below(group, "cgroup.procs", O_RDONLY);

	if (fd < 0)
		return;
	while ((got = sys(__NR_read, fd, list, sizeof list)) > 0)
		for (long i = 0; i < got; i++) {
			if (list[i] >= '0' && list[i] <= '9') {
				pid = pid * 10 + (list[i] - '0');
				continue;
			}
			if (pid > 1)
				sys(__NR_kill, pid, SIGKILL);
			pid = 0;
		}
	sys(__NR_close, fd);
}

static void kill_group(int group)
{
	int fd = open_below(group, "cgroup.kill", O_WRONLY);
	long got = fd < 0 ? fd : sys(__NR_write, fd, "1", 1);

	if (fd >= 0)
		sys(__NR_close, fd);
	if (got != 1)
		kill_listed(group);
}

static void clear_children(int group, int levels)
{
	char buffer[1024] __attribute__((aligned(8)));
	long got;

	while ((got = sys(__NR_getdents64, group, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < got;) {
			struct entry *e = (struct entry *)(void *)(buffer + at);
			int child;

			at += e->length;
			if (e->type != DT_DIRECTORY || e->name[0] == '.')
				continue;
			if (sys(__NR_unlinkat, group, e->name, REMOVE_DIRECTORY) != -EBUSY)
				continue;
			child = open_below(group, e->name, O_RDONLY | O_DIRECTORY);
			if (child < 0)
				continue;
			kill_group(child);
			if (levels > 1)
				clear_children(child, levels - 1);
			sys(__NR_close, child);
			sys(__NR_unlinkat, group, e->name, REMOVE_DIRECTORY);
		}
}

/* Without waiting: who is dying still holds its group, so the caller tries again. */
void clear_below(const char *path)
{
	int fd = open_below(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return;
	clear_children(fd, LEVELS_AT_MOST);
	sys(__NR_close, fd);
}
