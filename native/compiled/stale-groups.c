/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names groups after the process that creates them, as groupName in src/plan/groups.ts does. A
 * later start removes groups whose process was killed: see caller/stale.c.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "compiled.h"
#include "../caller/groups.h"

/*
 * Returns the start time of a process, which is field 22 of /proc/PID/stat. Returns 0 if the
 * process does not exist or is a zombie. Field 2, the process name, may contain any bytes.
 */
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

/* Writes this process's group name, hutch-PID-START-PIDNS-0. Returns -errno if /proc cannot be read. */
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

static int sweep_parent(const char *group, u64 space, u64 until)
{
	struct text parent = { .length = 0 };

	add(&parent, group);
	while (parent.length > 1 && parent.bytes[parent.length - 1] != '/')
		parent.length--;
	parent.bytes[parent.length] = 0;
	return sweep_directory(parent.bytes, space, until);
}

/* Removes stale groups beside the groups that this start created. Returns 1 if work remains. */
int sweep_beside(const struct outer *o, const char *own, u64 until)
{
	const char *at = own + 5;
	int again = 0;
	u64 space = 0;

	/* the pid namespace is the third number in the name of this start's group */
	for (int i = 0; i < 3 && *at; i++) {
		at++;
		space = parse_number(&at);
	}
	for (u32 i = 0; i < o->made_count; i++)
		again |= sweep_parent(o->made[i], space, until);
	return again;
}
