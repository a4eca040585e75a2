/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups are named after the process that made them, as in src/plan/plan.ts
 * (groupName), and those whose process is gone are removed, as in
 * src/cgroup/sweep.ts: whoever starts next clears up.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <signal.h>

#include "compiled.h"

#define REMOVE_DIRECTORY 0x200
#define DEEPEST 8
#define TRIES 50

/* Field 22 of /proc/PID/stat; 0 when there is no such process, or only its zombie. The command in field 2 may hold anything. */
static u64 start_time(u64 pid)
{
	struct text path = { .length = 0 };
	char stat[1024];
	const char *at = stat, *behind = NULL;
	long got;

	add(&path, "/proc/");
	if (pid)
		add_number(&path, pid);
	else
		add(&path, "self");
	add(&path, "/stat");
	got = read_text(path.bytes, stat, sizeof stat - 1);
	if (got <= 0)
		return 0;
	stat[got] = 0;
	for (; *at; at++)
		if (*at == ')')
			behind = at;
	if (!behind || behind[1] != ' ' || behind[2] == 'Z' || behind[2] == 'X')
		return 0;
	at = behind + 2;
	for (int field = 3; field < 22 && *at; at++)
		field += *at == ' ';
	return parse_number(&at);
}

/* hutch-PID-START-PIDNS-0, for this process; -errno when /proc does not tell. */
int own_group_name(char *name, size_t size)
{
	struct text t = { .length = 0 };
	char target[64];
	const char *at = target;
	long got = sys(__NR_readlinkat, AT_FDCWD, "/proc/self/ns/pid", target, sizeof target - 1);
	u64 start = start_time(0);

	if (got < 0 || !start)
		return got < 0 ? (int)got : -ENOENT;
	target[got] = 0;
	while (*at && (*at < '0' || *at > '9'))
		at++;
	add(&t, "hutch-");
	add_number(&t, (u64)sys(__NR_getpid));
	add(&t, "-");
	add_number(&t, start);
	add(&t, "-");
	add_number(&t, parse_number(&at));
	add(&t, "-0");
	if (t.length >= size)
		return -ENAMETOOLONG;
	memcpy(name, t.bytes, t.length + 1);
	return 0;
}

static int take_part(const char **at, u64 *number)
{
	const char *before;

	if (**at != '-')
		return 0;
	before = ++*at;
	*number = parse_number(at);
	return *at > before;
}

/* Whether a name is that of a group whose process is gone; only those of the pid namespace of `own`, since others cannot be looked up. */
int is_abandoned(const char *name, const char *own)
{
	u64 pid, start, space, serial, mine[4];
	const char *at = name + 5, *other = own + 5;

	if (!starts(name, "hutch-") || !take_part(&at, &pid) || !take_part(&at, &start) || !take_part(&at, &space) ||
	    !take_part(&at, &serial) || *at || !pid)
		return 0;
	for (int i = 0; i < 4; i++)
		if (!take_part(&other, &mine[i]))
			return 0;
	return space == mine[2] && start_time(pid) != start;
}

struct entry {
	u64 inode;
	long long offset;
	u16 length;
	u8 type;
	char name[];
};

/* Calls `each` for every directory in `fd`. */
static void for_directories(int fd, void (*each)(int fd, const char *name, void *arg), void *arg)
{
	char buffer[4096] __attribute__((aligned(8)));
	long got;

	while ((got = sys(__NR_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < got;) {
			struct entry *e = (struct entry *)(void *)(buffer + at);

			at += e->length;
			if (e->type == 4 /* DT_DIR */ && e->name[0] != '.')
				each(fd, e->name, arg);
		}
}

static int open_in(int base, const char *name, int flags)
{
	return (int)sys(__NR_openat, base, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* cgroup.kill where there is one, else each that is listed. */
static void kill_in(int group)
{
	char list[4096];
	const char *at = list;
	int fd = open_in(group, "cgroup.kill", O_WRONLY);
	long got;

	if (fd >= 0) {
		got = sys(__NR_write, fd, "1", 1);
		sys(__NR_close, fd);
		if (got == 1)
			return;
	}
	fd = open_in(group, "cgroup.procs", O_RDONLY);
	if (fd < 0)
		return;
	got = sys(__NR_read, fd, list, sizeof list - 1);
	list[got > 0 ? got : 0] = 0;
	sys(__NR_close, fd);
	while (*at) {
		u64 pid = parse_number(&at);

		if (pid > 1)
			sys(__NR_kill, pid, SIGKILL);
		at += *at != 0;
	}
}

/* From the innermost outwards; *arg is how deep it may still go. */
static void clear(int base, const char *name, void *arg)
{
	int depth = *(int *)arg - 1, fd;

	for (int tries = 0; tries < TRIES; tries++) {
		fd = open_in(base, name, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return;
		kill_in(fd);
		if (depth > 0)
			for_directories(fd, clear, &depth);
		sys(__NR_close, fd);
		if (sys(__NR_unlinkat, base, name, REMOVE_DIRECTORY) != -EBUSY)
			return;
		sleep_ms(2);
	}
}

static void clear_abandoned(int base, const char *name, void *arg)
{
	int depth = DEEPEST;

	if (is_abandoned(name, arg))
		clear(base, name, &depth);
}

/* `group` is this start's own. */
void sweep_beside(const char *group, const char *own)
{
	struct text parent = { .length = 0 };
	int fd;

	add(&parent, group);
	while (parent.length && parent.bytes[parent.length - 1] != '/')
		parent.length--;
	parent.bytes[parent.length] = 0;
	fd = open_in(AT_FDCWD, parent.bytes, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	for_directories(fd, clear_abandoned, (void *)(uintptr_t)own);
	sys(__NR_close, fd);
}
